import Database
import JobModel
import Threading

/// Stores a batch inside an open transaction: locks the jobs and their disks, applies the rules in memory, writes
/// what they made of them.
///
/// It is right for every message. A way that is faster for the plain ones goes before it, in the same transaction,
/// and leaves to it the items that it did not store.
struct CarefulWay {
    private let store: JobStore

    init(_ connection: Connection) {
        store = JobStore(connection)
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
        let locked = try store.lock(Batch.jobIDs(items), skippingHeld: skippingHeld)
        let outcome = Batch.apply(
            items,
            to: locked.jobs,
            held: locked.held,
            foreign: locked.foreign,
            shedsContacts: shedsContacts,
            nowMilliseconds: MonotonicClock.nowMilliseconds
        )
        try store.store(outcome.changes, locked: locked)
        return outcome
    }
}
