internal import JobModel

/// Columns that hold when something began or ended.
///
/// They are TIMESTAMPs, and only a NOW() that stands alone is stored as the instant that it is: within an expression
/// it becomes local time, which has one hour twice when daylight saving ends. So they have statements of their own;
/// they are as rare as beginnings and ends.
extension JobStore {
    /// Sets and clears the jobs' times; a new row has its beginning already.
    func stampJobs(_ changes: [JobChange]) throws(DatabaseError) {
        try stamp(
            "UPDATE backup_jobs SET started_at = NOW() WHERE id = ?",
            changes,
            changes.indices.filter { changes[$0].before != nil && changes[$0].startedStamp == .now }
        )
        try stamp(
            "UPDATE backup_jobs SET completed_at = NOW() WHERE id = ?",
            changes,
            changes.indices.filter { changes[$0].completedStamp == .now }
        )
        try stamp(
            "UPDATE backup_jobs SET completed_at = NULL WHERE id = ?",
            changes,
            changes.indices.filter { changes[$0].completedStamp == .clear }
        )
    }

    private func stamp(_ sql: String, _ changes: [JobChange], _ places: [Int]) throws(DatabaseError) {
        guard !places.isEmpty else { return }
        try connection.prepare(sql).executeBulk(
            [.texts(places.map { changes[$0].after.id.rawValue })],
            rowCount: places.count
        )
    }

    /// Sets and clears the times of disks' ends.
    func stampDisks(_ rows: [DiskRow]) throws(DatabaseError) {
        for (stamp, value) in [(JobChange.Stamp.now, "NOW()"), (.clear, "NULL")] {
            let rows = rows.filter { $0.completedStamp == stamp }
            guard !rows.isEmpty else { continue }
            try connection.prepare(
                "UPDATE backup_disks SET completed_at = \(value) WHERE backup_job_id = ? AND disk_index = ?"
            ).executeBulk(
                [.texts(rows.map(\.jobID)), .ints(rows.map { Int64($0.disk.index) })],
                rowCount: rows.count
            )
        }
    }
}
