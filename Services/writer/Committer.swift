import Database
import DatabaseKit
import JobModel
import Logging
import Metrics
import Threading

/// Stores batches: one transaction each, repeated where others were in the way, halved where a message is at fault.
final class Committer {
    /// How often a transaction that others were in the way of is repeated.
    private static let triesMax = 5
    /// After so many tries a batch is halved: one row that somebody holds must not hold up all.
    private static let triesBeforeSplit = 2

    /// Milliseconds for which nobody waits again for a job whose rows were held.
    private static let heldMilliseconds: Int64 = 10_000

    private let session: Session
    private let logger: Logger
    /// Jobs whose rows another transaction held lately, with the time of the last look.
    private var held: [JobID: Int64] = [:]
    /// More waits than there is time for.
    private var shedsContacts = false
    private let shedContacts = Counter(label: "sendense_writer_contacts_shed_total")
    private let heldMessages = Counter(label: "sendense_writer_messages_held_total")
    private let repeats = Counter(label: "sendense_writer_transactions_repeated_total")
    private let rejected = Counter(label: "sendense_writer_messages_rejected_total")
    private let ignoredDisks = Counter(label: "sendense_writer_disk_entries_ignored_total")
    private let commits = Metrics.Timer(label: "sendense_writer_commit_seconds")
    private let batchSizes = Recorder(label: "sendense_writer_batch_messages")
    private var log: RoundLog
    let store: BatchStore

    /// - Parameters:
    ///   - session: the lane's way to the database.
    ///   - memoryCountMax: the most jobs that are remembered.
    ///   - logger: the lane's logger.
    init(_ session: Session, memoryCountMax: Int = JobMemory.writerCountMax, logger: Logger) {
        self.session = session
        self.logger = logger
        log = RoundLog(logger: logger)
        store = BatchStore(memoryCountMax: memoryCountMax, logger: logger)
    }

    /// Stores the items' messages and gives each the answer that it would have got alone.
    ///
    /// A row that another transaction holds is waited for once; after that its job's messages are answered `held`,
    /// and the others' are stored without them.
    ///
    /// - Parameters:
    ///   - items: the messages, in the order of their arrival.
    ///   - isPressed: more waits than fits into a batch, so what is only a sign of life is left out.
    /// - Returns: an answer for each item, in their order.
    func commit(_ items: [LaneItem], isPressed: Bool = false) -> [Answer] {
        shedsContacts = isPressed
        return commit(items, skippingHeld: !held.isEmpty && items.contains { isHeld($0.message.jobID) })
    }

    private func commit(_ items: [LaneItem], skippingHeld: Bool) -> [Answer] {
        var tries = 0
        var skipsHeld = skippingHeld
        while true {
            tries += 1
            guard let connection = session.connection() else { return unavailable(items) }
            do throws(DatabaseError) {
                let answers = try transact(connection, items, skippingHeld: skipsHeld)
                session.succeeded()
                return answers
            } catch {
                switch error.kind {
                case .retry, .duplicateKey:
                    repeats.increment()
                    skipsHeld = true
                    // A row that another writer made meanwhile is found by the next look; one that is only
                    // taken for the same by the collation never is.
                    if tries >= Self.triesBeforeSplit, items.count > 1 {
                        return split(items, error, skippingHeld: true)
                    }
                    guard tries < Self.triesMax else {
                        return error.kind == .duplicateKey
                            ? split(items, error, skippingHeld: true) : unavailable(items, error)
                    }
                case .connectionLost:
                    repeats.increment()
                    // Whether a lost COMMIT took place nobody knows: repeating it is harmless by the rules.
                    guard tries < 2 else { return unavailable(items, error) }
                case .refused, .missingParent, .missingColumn:
                    return split(items, error, skippingHeld: skipsHeld)
                case .readOnly, .outOfSpace, .accessDenied, .schemaMismatch, .serverTrouble:
                    return unavailable(items, error)
                }
            }
        }
    }

    /// Says what was committed, at most once a second; called when there is nothing else to do.
    func idle() { log.flush(nowMilliseconds: MonotonicClock.nowMilliseconds) }

    private func isHeld(_ job: JobID) -> Bool {
        held[job].map { MonotonicClock.nowMilliseconds - $0 < Self.heldMilliseconds } ?? false
    }

    /// Remembers which jobs are held, and which are no more.
    private func note(_ items: [LaneItem], _ answers: [Answer]) {
        let now = MonotonicClock.nowMilliseconds
        for (item, answer) in zip(items, answers) {
            let job = item.message.jobID
            guard answer.verdict == .held else {
                held[job] = nil
                continue
            }
            heldMessages.increment()
            if held.updateValue(now, forKey: job) == nil {
                logger.warning(
                    "another transaction holds a job's rows; its messages wait for that",
                    metadata: ["job_id": "\(job)"]
                )
            }
        }
        held = held.filter { now - $0.value < Self.heldMilliseconds }
    }

    private func transact(
        _ connection: Connection,
        _ items: [LaneItem],
        skippingHeld: Bool
    ) throws(DatabaseError) -> [Answer] {
        let start = MonotonicClock.nowNanoseconds
        let outcome: Batch.Outcome
        do throws(DatabaseError) {
            try store.prepare(connection)
            outcome = try connection.transaction(beginningWith: store.beginning) {
                clock throws(DatabaseError) -> Batch.Outcome in
                try store.store(
                    items,
                    connection,
                    clock: clock,
                    skippingHeld: skippingHeld,
                    shedsContacts: shedsContacts
                )
            }
        } catch {
            store.failed(items)
            throw error
        }
        store.committed(outcome)
        let nanoseconds = MonotonicClock.nowNanoseconds - start
        commits.recordNanoseconds(nanoseconds)
        batchSizes.record(items.count)
        ignoredDisks.increment(by: outcome.ignoredDiskCount)
        shedContacts.increment(by: outcome.shedContactCount)
        if skippingHeld { note(items, outcome.answers) }
        warn(items, outcome.answers)
        announce(outcome.changes)
        log.committed(
            jobCount: outcome.jobCount,
            updateCount: items.count,
            nanoseconds: nanoseconds,
            nowMilliseconds: MonotonicClock.nowMilliseconds
        )
        return outcome.answers
    }

    /// The rules reject nothing: what is rejected in a batch has found a row that they cannot read.
    private func warn(_ items: [LaneItem], _ answers: [Answer]) {
        for place in answers.indices where answers[place].verdict == .rejected {
            rejected.increment()
            logger.warning(
                "a job's row has a word that no rule knows, so a message is not stored",
                metadata: [
                    "job_id": "\(items[place].message.jobID)", "detail": "\(answers[place].detail)",
                ]
            )
        }
    }

    /// One poisoned message must not hold up the others: halve until it stands alone.
    private func split(_ items: [LaneItem], _ error: DatabaseError, skippingHeld: Bool) -> [Answer] {
        guard items.count > 1 else {
            rejected.increment()
            logger.warning(
                "the database refuses a message",
                metadata: ["job_id": "\(items.first?.message.jobID.rawValue ?? "")", "error": "\(error)"]
            )
            return items.map { refusal(of: $0.message, error) }
        }
        let middle = items.count / 2
        return commit(Array(items[..<middle]), skippingHeld: skippingHeld)
            + commit(Array(items[middle...]), skippingHeld: skippingHeld)
    }

    /// The answer to a message that the database will never take.
    private func refusal(of message: JobMessage, _ error: DatabaseError) -> Answer {
        let plain = Answer(.rejected, detail: "The database refuses it: \(error.message)")
        guard case .registration(let registration) = message, let connection = session.connection() else {
            return plain
        }
        do {
            let refusal = RegistrationRefusal(connection)
            if error.kind == .duplicateKey, let stored = try refusal.lookalike(of: registration.jobID) {
                return Answer(
                    .conflict,
                    detail: """
                        Job \(registration.jobID) differs from the stored \(stored) in letter case or accents \
                        only, and this database takes the two for one; choose another id.
                        """
                )
            }
            let problems = try refusal.problems(registration, error)
            guard !problems.isEmpty else { return plain }
            return Answer(
                .rejected,
                detail: "This database demands more of a new backup; errors names each member.",
                problems: problems
            )
        } catch {
            return plain
        }
    }

    private func unavailable(_ items: [LaneItem], _ error: DatabaseError? = nil) -> [Answer] {
        if let error { session.failed(error) }
        return items.map { _ in Answer(.unavailable, detail: "The database cannot be used now; try again.") }
    }

    private func announce(_ changes: [JobChange]) {
        for index in changes.indices where changes[index].after.status == .completed {
            guard changes[index].before?.status != .completed else { continue }
            let job = changes[index].after
            logger.info(
                "Aggregated bytes_transferred",
                metadata: [
                    "job_id": "\(job.id)", "bytes_transferred": "\(job.bytes)", "total_bytes": "\(job.total)",
                    "disks": "\(job.disks.count)",
                ]
            )
        }
    }
}

/// Sums up commit rounds for the log: a line at most once a second, whatever the load.
struct RoundLog {
    private static let pauseMilliseconds: Int64 = 1000

    private let logger: Logger
    private var jobCount = 0
    private var updateCount = 0
    private var nanoseconds: Int64 = 0
    private var lastMilliseconds: Int64 = 0

    init(logger: Logger) {
        self.logger = logger
    }

    /// Notes one commit.
    mutating func committed(jobCount: Int, updateCount: Int, nanoseconds: Int64, nowMilliseconds: Int64) {
        self.jobCount += jobCount
        self.updateCount += updateCount
        self.nanoseconds += nanoseconds
        flush(nowMilliseconds: nowMilliseconds)
    }

    /// Writes what is noted, if the last line is a second old.
    mutating func flush(nowMilliseconds: Int64) {
        guard updateCount > 0, nowMilliseconds - lastMilliseconds >= Self.pauseMilliseconds else { return }
        logger.info(
            "Telemetry received and processed",
            metadata: [
                "jobs": "\(jobCount)", "updates": "\(updateCount)", "commit_ms": "\(nanoseconds / 1_000_000)",
            ]
        )
        lastMilliseconds = nowMilliseconds
        (jobCount, updateCount, nanoseconds) = (0, 0, 0)
    }
}
