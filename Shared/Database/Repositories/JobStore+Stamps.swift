internal import JobModel

/// Columns that hold when something began or ended.
///
/// They are TIMESTAMPs, and only a NOW() that stands alone is stored as the instant that it is: within an expression
/// it becomes local time, which has one hour twice when daylight saving ends. So they have statements of their own;
/// they are as rare as beginnings and ends.
///
/// What happened a while ago is stamped by a NOW() of the session's own that lies as far back. It counts for nothing but
/// these columns: who is silent is told by when messages arrive.
extension JobStore {
    /// Sets and clears the jobs' times; a new row has its beginning already, unless that was a while ago.
    func stampJobs(_ changes: [JobChange]) throws(DatabaseError) {
        let started = changes.filter { change in
            change.startedStamp == .now
                && (change.before != nil || Self.seconds(change.transitions.started) > 0)
        }
        try stamp(
            started,
            age: \.transitions.started,
            id: \.after.id.rawValue,
            "UPDATE backup_jobs SET started_at = NOW() WHERE id = ?"
        )
        let ended = changes.filter { $0.completedStamp == .now }
        try stamp(
            ended,
            age: \.transitions.completed,
            id: \.after.id.rawValue,
            "UPDATE backup_jobs SET completed_at = NOW() WHERE id = ?"
        )
        // A client may err about its times, but nothing ends before it began.
        try stamp(
            ended.filter { Self.seconds($0.transitions.completed) > 0 },
            age: { _ in 0 },
            id: \.after.id.rawValue,
            """
            UPDATE backup_jobs SET completed_at = started_at
            WHERE id = ? AND UNIX_TIMESTAMP(completed_at) < UNIX_TIMESTAMP(started_at)
            """
        )
        try stamp(
            changes.filter { $0.completedStamp == .clear },
            age: { _ in 0 },
            id: \.after.id.rawValue,
            "UPDATE backup_jobs SET completed_at = NULL WHERE id = ?"
        )
    }

    /// Sets and clears the times of disks' ends.
    func stampDisks(_ rows: [DiskRow]) throws(DatabaseError) {
        for (stamp, value) in [(JobChange.Stamp.now, "NOW()"), (.clear, "NULL")] {
            try self.stamp(
                rows.filter { $0.completedStamp == stamp },
                age: { stamp == .now ? $0.completedAge : 0 },
                id: \.jobID,
                index: { Int64($0.disk.index) },
                "UPDATE backup_disks SET completed_at = \(value) WHERE backup_job_id = ? AND disk_index = ?"
            )
        }
    }

    /// Runs a statement for each of the rows, those of one age together.
    private func stamp<Stamped>(
        _ rows: [Stamped],
        age: (Stamped) -> Int64,
        id: (Stamped) -> String,
        index: ((Stamped) -> Int64)? = nil,
        _ sql: String
    ) throws(DatabaseError) {
        for (seconds, rows) in Dictionary(grouping: rows, by: { Self.seconds(age($0)) }).sorted(by: {
            $0.key > $1.key
        }) {
            let columns: [BulkColumn] =
                [.texts(rows.map(id))] + (index.map { index in [.ints(rows.map(index))] } ?? [])
            try before(seconds) { () throws(DatabaseError) in
                try connection.prepare(sql).executeBulk(columns, rowCount: rows.count)
            }
        }
    }

    /// Runs `body` with a NOW() that lies so many seconds back. Where the server does not let a session choose
    /// (`secure_timestamp`), it is the present one.
    ///
    /// - Throws: `DatabaseError`; of kind `connectionLost` where the session keeps such a NOW(), and is given up for
    ///   that: all that it stored from then on would be as old.
    private func before(_ seconds: Int64, _ body: () throws(DatabaseError) -> Void) throws(DatabaseError) {
        guard seconds > 0 else { return try body() }
        do throws(DatabaseError) {
            try connection.prepare("SET timestamp = @@timestamp - ?").execute([.int(seconds)])
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

    /// Whole seconds, as the columns hold; what is younger is the present.
    private static func seconds(_ milliseconds: Int64) -> Int64 { max(0, milliseconds / 1000) }
}
