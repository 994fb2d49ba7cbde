internal import JobModel

/// Columns that hold when something began or ended.
///
/// They are TIMESTAMPs, and only a NOW() that stands alone is stored as the instant that it is: within an expression
/// it becomes local time, which has one hour twice when daylight saving ends. So they have statements of their own;
/// they are as rare as beginnings and ends.
///
/// What happened a while ago is stamped by a NOW() of the session's own, the second in which it was. It counts for nothing
/// but these columns: who is silent is told by when messages arrive.
extension JobStore {
    /// Sets and clears the jobs' times; a new row has its beginning already, unless that was a while ago.
    ///
    /// - Parameters:
    ///   - changes: the jobs.
    ///   - now: the database's clock, in milliseconds since 1970 UTC.
    /// - Throws: `DatabaseError`.
    func stampJobs(_ changes: [JobChange], nowMilliseconds now: Int64) throws(DatabaseError) {
        let started = changes.filter { change in
            change.startedStamp == .now
                && (change.before != nil || Self.second(change.transitions.started, now) != nil)
        }
        try stamp(
            started,
            second: { Self.second($0.transitions.started, now) },
            id: \.after.id.rawValue,
            "UPDATE backup_jobs SET started_at = NOW() WHERE id = ?"
        )
        let ended = changes.filter { $0.completedStamp == .now }
        try stamp(
            ended,
            second: { Self.second($0.transitions.completed, now) },
            id: \.after.id.rawValue,
            "UPDATE backup_jobs SET completed_at = NOW() WHERE id = ?"
        )
        // A client may err about its times, but nothing ends before it began.
        try stamp(
            ended.filter { Self.second($0.transitions.completed, now) != nil },
            id: \.after.id.rawValue,
            """
            UPDATE backup_jobs SET completed_at = started_at
            WHERE id = ? AND UNIX_TIMESTAMP(completed_at) < UNIX_TIMESTAMP(started_at)
            """
        )
        try stamp(
            changes.filter { $0.completedStamp == .clear },
            id: \.after.id.rawValue,
            "UPDATE backup_jobs SET completed_at = NULL WHERE id = ?"
        )
    }

    /// Sets and clears the times of disks' ends.
    func stampDisks(_ rows: [DiskRow], nowMilliseconds now: Int64) throws(DatabaseError) {
        for (stamp, value) in [(JobChange.Stamp.now, "NOW()"), (.clear, "NULL")] {
            try self.stamp(
                rows.filter { $0.completedStamp == stamp },
                second: { stamp == .now ? Self.second($0.completedAge, now) : nil },
                id: \.jobID,
                index: { Int64($0.disk.index) },
                "UPDATE backup_disks SET completed_at = \(value) WHERE backup_job_id = ? AND disk_index = ?"
            )
        }
    }

    /// Runs a statement for each of the rows, those of one second together, the present last.
    private func stamp<Stamped>(
        _ rows: [Stamped],
        second: (Stamped) -> Int64? = { _ in nil },
        id: (Stamped) -> String,
        index: ((Stamped) -> Int64)? = nil,
        _ sql: String
    ) throws(DatabaseError) {
        for (second, rows) in Dictionary(grouping: rows, by: second).sorted(by: {
            $0.key ?? .max < $1.key ?? .max
        }) {
            let columns: [BulkColumn] =
                [.texts(rows.map(id))] + (index.map { index in [.ints(rows.map(index))] } ?? [])
            try at(second) { () throws(DatabaseError) in
                try connection.prepare(sql).executeBulk(columns, rowCount: rows.count)
            }
        }
    }

    /// Runs `body` with a NOW() of that second since 1970 UTC; nil: the present. Where the server does not let a session
    /// choose (`secure_timestamp`), it is the present one.
    ///
    /// - Throws: `DatabaseError`; of kind `connectionLost` where the session keeps such a NOW(), and is given up for
    ///   that: all that it stored from then on would be as old.
    private func at(_ second: Int64?, _ body: () throws(DatabaseError) -> Void) throws(DatabaseError) {
        guard let second else { return try body() }
        do throws(DatabaseError) {
            try connection.prepare("SET timestamp = ?").execute([.int(second)])
        } catch {
            guard error.kind == .refused || error.kind == .accessDenied else { throw error }
            return try body()
        }
        do throws(DatabaseError) {
            try body()
        } catch {
            try takePresent()
            throw error
        }
        try takePresent()
    }

    private func takePresent() throws(DatabaseError) {
        do throws(DatabaseError) {
            try connection.execute("SET timestamp = DEFAULT")
        } catch {
            throw connection.giveUp(error)
        }
    }

    /// The second since 1970 UTC in which something was; nil: it is less than one ago, and counts as the present.
    private static func second(_ ageMilliseconds: Int64, _ now: Int64) -> Int64? {
        // 0 would mean the present.
        ageMilliseconds < 1000 ? nil : max(1, (now - ageMilliseconds) / 1000)
    }
}
