import Database
import JobModel
import Logging
import Metrics
import Threading

/// Stores batches inside open transactions, each message the fast way if it can go it, else the careful way.
///
/// Used on one lane's thread only.
final class BatchStore {
    private let logger: Logger
    private let memoryMisses = Counter(label: "sendense_writer_memory_misses_total")
    private let fastMessages = Counter(label: "sendense_writer_fast_messages_total")
    private var memory: JobMemory
    private var tables: BatchTables?
    /// The connection that was found to give no temporary tables.
    private weak var plainConnection: Connection?
    private var hasWarned = false
    /// Messages that went the fast way, and batches in which rows were not as they were remembered.
    private(set) var tally = (fastMessages: 0, misses: 0)
    /// Running jobs that were read since somebody asked, and are remembered from then on.
    private var strangerCount = 0

    /// - Parameters:
    ///   - memoryCountMax: the most jobs that are remembered.
    ///   - logger: told when there can be no temporary tables.
    init(memoryCountMax: Int, logger: Logger) {
        memory = JobMemory(countMax: memoryCountMax)
        self.logger = logger
    }

    /// Gets ready for a transaction; before it begins.
    ///
    /// - Throws: `DatabaseError` of the connection.
    func prepare(_ connection: Connection) throws(DatabaseError) {
        if tables?.belong(to: connection) == true || plainConnection === connection { return }
        tables = nil
        do throws(DatabaseError) {
            tables = try BatchTables(connection)
        } catch {
            switch error.kind {
            case .connectionLost, .retry, .readOnly, .outOfSpace: throw error
            case .refused, .duplicateKey, .missingParent, .missingColumn, .accessDenied, .schemaMismatch,
                .serverTrouble:
                plainConnection = connection
                warn(error)
            }
        }
    }

    /// What a transaction begins with.
    var beginning: [String] { (tables?.emptying ?? []) + [ServerClock.query] }

    /// Stores the items' messages; nothing counts before the transaction is committed.
    ///
    /// - Parameters:
    ///   - items: the messages, in the order of their arrival.
    ///   - connection: in a transaction that began with `beginning`, and may be another one afterwards.
    ///   - clock: what it began with has given.
    ///   - skippingHeld: waits for no row that another transaction holds; messages of its job are answered `held`.
    ///   - shedsContacts: leaves out what is only a sign of life.
    /// - Returns: what was stored, and what to answer after the commit.
    /// - Throws: `DatabaseError`.
    func store(
        _ items: [LaneItem],
        _ connection: Connection,
        clock: [Row],
        skippingHeld: Bool,
        shedsContacts: Bool
    ) throws(DatabaseError) -> Batch.Outcome {
        tables?.wereEmptied()
        let careful = CarefulWay(connection, tables)
        // A join waits for whoever holds a row; only a look can leave it out.
        if tables != nil, !skippingHeld {
            let fast = FastWay(items, memory, nowMilliseconds: MonotonicClock.nowMilliseconds)
            if fast.progress.count > 0 {
                let count = items.count - fast.rest.count
                if let outcome = try careful.store(
                    items,
                    beside: fast,
                    shedsContacts: shedsContacts,
                    nowMilliseconds: clock.first?.int(0) ?? 0
                ) {
                    fastMessages.increment(by: count)
                    tally.fastMessages += count
                    return outcome
                }
                memoryMisses.increment()
                tally.misses += 1
                try connection.rollback()
                try connection.begin()
                let outcome = try careful.store(items, skippingHeld: false, shedsContacts: shedsContacts)
                memory.compare(outcome.changes)
                memory.forget(items)
                return outcome
            }
        }
        return try careful.store(items, skippingHeld: skippingHeld, shedsContacts: shedsContacts)
    }

    /// The transaction was committed.
    func committed(_ outcome: Batch.Outcome) {
        guard tables != nil else { return }
        if let fast = outcome.fast { memory.note(fast) }
        strangerCount += memory.note(outcome.changes, nowMilliseconds: MonotonicClock.nowMilliseconds)
    }

    /// Takes in what was read of jobs before they are heard of; where there can be no temporary tables, nothing.
    func know(_ jobs: [RunningJob]) {
        guard tables != nil || plainConnection == nil else { return }
        for known in jobs { memory.know(known) }
    }

    /// How many running jobs were read since the last call that nobody had read ahead.
    func takeStrangerCount() -> Int {
        defer { strangerCount = 0 }
        return strangerCount
    }

    /// The transaction came to nothing, or nobody knows what it came to.
    func failed(_ items: [LaneItem]) {
        memory.forget(items)
    }

    private func warn(_ error: DatabaseError) {
        guard !hasWarned else { return }
        hasWarned = true
        logger.warning(
            """
            batches are stored row by row, a third as fast, since there can be no temporary tables; for the \
            quicker way: GRANT CREATE TEMPORARY TABLES ON the database TO the writer's user
            """,
            metadata: ["error": "\(error)"]
        )
    }
}
