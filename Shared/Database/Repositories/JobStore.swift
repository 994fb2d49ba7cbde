public import JobModel

/// The jobs of one connection: read under lock, stored in the same transaction.
///
/// Locks are taken in one order everywhere: jobs before disks, each by id.
public struct JobStore {
    /// The most jobs of one transaction.
    public static let jobCountMax = 512

    let connection: Connection

    /// The jobs behind a connection.
    public init(_ connection: Connection) {
        self.connection = connection
    }

    /// Reads jobs and their disks and locks their rows until the transaction ends.
    ///
    /// - Parameters:
    ///   - ids: at most `jobCountMax`, each once, ascending.
    ///   - skippingHeld: leaves out jobs of which another transaction holds a row, instead of waiting for it;
    ///     before MariaDB 10.6 it waits all the same.
    ///   - tables: the connection's temporary tables. nil: there are none.
    /// - Returns: the jobs that are there, by id. Ids that a case-insensitive collation holds to be equal are
    ///   told apart: only the very same bytes count.
    /// - Throws: `DatabaseError`.
    public func lock(
        _ ids: [JobID],
        skippingHeld: Bool = false,
        through tables: BatchTables? = nil
    ) throws(DatabaseError) -> LockedJobs {
        if let tables, !skippingHeld, ids.count >= BatchTables.lockCountMin {
            let rows = try tables.lock(ids)
            var locked = LockedJobs()
            try take(rows.jobs, Set(ids), &locked)
            try takeDisks(rows.disks, &locked)
            return locked
        }
        let skippingHeld = skippingHeld && connection.canSkipLocked
        let parameters = Self.padded(ids)
        var locked = LockedJobs()
        let wanted = Set(ids)
        let jobRows = try connection.prepare(
            Self.readJobs(Self.marks(parameters), Self.locking(skippingHeld))
        ).query(parameters)
        let seen = try take(jobRows, wanted, &locked)
        if !locked.jobs.isEmpty {
            let found = Self.padded(locked.jobs.keys.sorted())
            let diskRows = try connection.prepare(
                Self.readDisks(Self.marks(found), Self.locking(skippingHeld))
            ).query(found)
            try takeDisks(diskRows, &locked)
        }
        if skippingHeld { try leaveOutHeld(&locked, parameters, wanted, seen) }
        return locked
    }

    /// Takes in rows of jobs.
    ///
    /// - Returns: the ids of those that were asked for, also where their rows make no job.
    @discardableResult
    func take(
        _ rows: [Row],
        _ wanted: Set<JobID>,
        _ locked: inout LockedJobs
    ) throws(DatabaseError) -> Set<JobID> {
        var seen: Set<JobID> = []
        for row in rows {
            guard let id = JobID(try row.text(0)), wanted.contains(id) else { continue }
            seen.insert(id)
            guard let job = try Self.job(row) else {
                locked.foreign[id] = try ForeignWord(row)
                continue
            }
            locked.jobs[job.id] = job
            locked.histories[job.id] = JobHistory(
                lastMilliseconds: try row.optionalInt(Self.historyColumn),
                startedMilliseconds: try row.optionalInt(Self.historyColumn + 1)
            )
        }
        return seen
    }

    func takeDisks(_ rows: [Row], _ locked: inout LockedJobs) throws(DatabaseError) {
        for row in rows {
            guard let id = JobID(try row.text(0)) else { continue }
            locked.insert(try Self.disk(row), of: id)
        }
    }

    /// What was skipped shows by what is there: rows that a look without locks finds and the lock did not, and rows
    /// that are about to be there.
    private func leaveOutHeld(
        _ locked: inout LockedJobs,
        _ parameters: [Value],
        _ wanted: Set<JobID>,
        _ seen: Set<JobID>
    ) throws(DatabaseError) {
        let marks = Self.marks(parameters)
        // Not by a join: in an adopted database the two columns may have collations that do not mix.
        var diskCounts: [String: Int] = [:]
        for row in try connection.prepare(
            """
            SELECT backup_job_id, COUNT(*) FROM backup_disks WHERE backup_job_id IN (\(marks))
            GROUP BY backup_job_id
            """
        ).query(parameters) {
            diskCounts[try row.text(0)] = Int(try row.int(1))
        }
        var there: Set<JobID> = []
        for row in try connection.prepare("SELECT id FROM backup_jobs WHERE id IN (\(marks))").query(
            parameters
        ) {
            guard let id = JobID(try row.text(0)), wanted.contains(id) else { continue }
            there.insert(id)
            // A row that was locked and makes no job is nobody's to hold.
            guard
                !seen.contains(id)
                    || (locked.jobs[id].map { $0.disks.count != diskCounts[id.rawValue] ?? 0 } ?? false)
            else { continue }
            locked.leaveOut(id)
        }
        for id in wanted.subtracting(there) where try isBeingMade(id) { locked.leaveOut(id) }
    }

    /// Whether another transaction has inserted the job's row and not ended yet: no other look shows that.
    private func isBeingMade(_ id: JobID) throws(DatabaseError) -> Bool {
        do throws(DatabaseError) {
            _ = try connection.prepare("SELECT 1 FROM backup_jobs WHERE id = ? FOR UPDATE NOWAIT")
                .query([.text(id.rawValue)])
            return false
        } catch {
            guard error.kind == .retry else { throw error }
            return true
        }
    }

    /// Stores what the rules made of the jobs.
    ///
    /// - Parameters:
    ///   - changes: jobs that were read under lock, ascending by id; afterwards without those that change nothing,
    ///     and with their histories as they stand now.
    ///   - progress: that of jobs that are remembered, none of them among the others; afterwards with their histories
    ///     as they stand now.
    ///   - tables: the connection's temporary tables. nil: there are none, and nothing is remembered.
    ///   - nowMilliseconds: the database's clock, if it was read a moment ago. nil: it is read.
    /// - Returns: false if rows are not as they were remembered. The transaction is to be rolled back then.
    /// - Throws: `DatabaseError` of kind `duplicateKey` if another writer made a new job's row meanwhile: repeat
    ///   the transaction.
    public func store(
        _ changes: inout [JobChange],
        _ progress: inout JobProgress,
        through tables: BatchTables?,
        nowMilliseconds: Int64? = nil
    ) throws(DatabaseError) -> Bool {
        changes.removeAll { $0.isEmpty }
        guard !changes.isEmpty || progress.count > 0 else { return true }
        let now = if let nowMilliseconds { nowMilliseconds } else { try clockMilliseconds() }
        let isPoint = changes.indices.map { changes[$0].pointIsDue(nowMilliseconds: now) }
        progress.lookForPoints(nowMilliseconds: now)
        let hub = changes.contains { $0.makesRows } ? try HubColumns(connection) : nil
        for index in changes.indices where changes[index].before == nil {
            try insert(changes[index], hub, historyMilliseconds: isPoint[index] ? now : nil)
        }
        // What makes tables grow comes before what changes rows: on a full disk it fails first. A rollback that has
        // changed rows to restore then can lose one (seen with MariaDB 10.11: a disk's row was gone).
        try insertEvents(changes)
        try insertHistory(changes, changes.indices.filter { isPoint[$0] }, progress)
        var disks = DiskRows(changes, joins: tables != nil)
        let isTooMany = disks.progress.count > BatchTables.diskCountMax
        if isTooMany { disks = DiskRows(changes, joins: false) }
        try insertDisks(disks, hub)
        try deleteDisks(disks.gone)
        if progress.count > 0 {
            // Only a join can compare.
            guard let tables, try tables.update(progress, nowMilliseconds: now) else { return false }
        }
        let updates = JobUpdates(
            places: changes.indices.filter { changes[$0].before != nil },
            changes: changes,
            isPoint: isPoint,
            nowMilliseconds: now
        )
        if let tables, !isTooMany {
            try tables.update(updates, disks.progress)
            try describe(updates, disks.updates)
        } else {
            try updateRows(updates, disks.updates)
        }
        try stampDisks(disks.inserts + disks.updates, nowMilliseconds: now)
        try stampJobs(changes, nowMilliseconds: now)
        for index in changes.indices {
            changes[index].noteHistory(isPoint: isPoint[index], nowMilliseconds: now)
        }
        progress.noteHistory(nowMilliseconds: now)
        return true
    }

    /// The database's clock, in milliseconds since 1970 UTC.
    private func clockMilliseconds() throws(DatabaseError) -> Int64 {
        try connection.prepare(ServerClock.query).query().first?.int(0) ?? 0
    }

    /// Bytes rounded up to whole GiB; 0 while unknown.
    static func gibibytes(_ bytes: Int64?) -> Int64 {
        guard let bytes, bytes > 0 else { return 0 }
        return (bytes - 1) / (1 << 30) + 1
    }

    static func marks(_ parameters: [Value]) -> String {
        Array(repeating: "?", count: parameters.count).joined(separator: ",")
    }

    /// Ids as parameters, the last one repeated up to a few fixed counts, so that few statements are prepared.
    static func padded(_ ids: [JobID]) -> [Value] {
        let count = [1, 8, 64, jobCountMax].first { $0 >= ids.count } ?? ids.count
        var values = ids.map { Value.text($0.rawValue) }
        if let last = values.last {
            values += Array(repeating: last, count: count - values.count)
        }
        return values
    }
}
