import Database
import JobModel
import Threading

/// Stores a batch inside an open transaction: locks the jobs and their disks, applies the rules in memory, writes
/// what they made of them.
///
/// It is right for every message. What the fast way has merged already is only written by it.
struct CarefulWay {
    private let store: JobStore
    private let tables: BatchTables?

    init(_ connection: Connection, _ tables: BatchTables?) {
        store = JobStore(connection)
        self.tables = tables
    }

    /// Stores the items' messages; nothing counts before the transaction is committed.
    ///
    /// - Parameters:
    ///   - items: the messages, in the order of their arrival.
    ///   - skippingHeld: waits for no row that another transaction holds; messages of its job are answered `held`.
    ///   - shedsContacts: leaves out what is only a sign of life.
    /// - Returns: what was stored, and what to answer after the commit.
    /// - Throws: `DatabaseError`.
    func store(
        _ items: [LaneItem],
        skippingHeld: Bool,
        shedsContacts: Bool
    ) throws(DatabaseError) -> Batch.Outcome {
        var outcome = try merge(items, skippingHeld: skippingHeld, shedsContacts: shedsContacts)
        var nothing = JobProgress()
        _ = try store.store(&outcome.changes, &nothing, through: tables)
        return outcome
    }

    /// Stores the items' messages, some of which the fast way has merged.
    ///
    /// - Parameters:
    ///   - items: the messages, in the order of their arrival.
    ///   - fast: those that the fast way has merged.
    ///   - shedsContacts: leaves out what is only a sign of life.
    ///   - nowMilliseconds: the database's clock as the transaction began.
    /// - Returns: what was stored, and what to answer after the commit. nil if rows are not as they were remembered:
    ///   the transaction is to be rolled back then.
    /// - Throws: `DatabaseError`.
    func store(
        _ items: [LaneItem],
        beside fast: consuming FastWay,
        shedsContacts: Bool,
        nowMilliseconds: Int64
    ) throws(DatabaseError) -> Batch.Outcome? {
        var fast = consume fast
        var outcome = Batch.Outcome(changes: [], answers: [], shedContactCount: 0, ignoredDiskCount: 0)
        if !fast.rest.isEmpty {
            outcome = try merge(
                fast.rest.map { items[$0] },
                skippingHeld: false,
                shedsContacts: shedsContacts
            )
            fast.answerRest(outcome.answers)
        }
        // Locks may have been waited for.
        let now = fast.rest.isEmpty ? nowMilliseconds : nil
        guard
            try store.store(&outcome.changes, &fast.progress, through: tables, nowMilliseconds: now)
        else { return nil }
        outcome.answers = fast.answers
        outcome.fast = fast
        return outcome
    }

    private func merge(
        _ items: [LaneItem],
        skippingHeld: Bool,
        shedsContacts: Bool
    ) throws(DatabaseError) -> Batch.Outcome {
        let locked = try store.lock(Batch.jobIDs(items), skippingHeld: skippingHeld, through: tables)
        var outcome = Batch.apply(
            items,
            to: locked.jobs,
            held: locked.held,
            foreign: locked.foreign,
            shedsContacts: shedsContacts,
            nowMilliseconds: MonotonicClock.nowMilliseconds
        )
        for index in outcome.changes.indices {
            outcome.changes[index].history = locked.histories[outcome.changes[index].after.id] ?? JobHistory()
        }
        return outcome
    }
}
