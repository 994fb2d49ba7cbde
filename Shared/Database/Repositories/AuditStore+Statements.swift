internal import JobModel

extension AuditStore {
    /// Changes of a status only: a note beside them changes nothing.
    private static let notes = StatusChange.Cause.allCases.filter(\.isNote).map { "'\($0.rawValue)'" }
        .joined(separator: ", ")

    /// The rows of jobs, each with its newest change of status and its newest point.
    ///
    /// The columns that only this system writes tell whose a row is; an event does, too.
    static let jobs = """
        SELECT \(JobStore.jobColumns),
          completed_at IS NOT NULL,
          last_contact_ms IS NOT NULL OR telemetry_seq > 0 OR telemetry_key_ms IS NOT NULL
            OR history_ms IS NOT NULL,
          COALESCE(\(ServerClock.milliseconds) - last_contact_ms,
            TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) * 1000),
          (UNIX_TIMESTAMP() - COALESCE(UNIX_TIMESTAMP(started_at), UNIX_TIMESTAMP(created_at))) * 1000,
          (SELECT MAX(e.id) FROM job_events e
            WHERE e.job_id = backup_jobs.id AND e.cause NOT IN (\(notes))),
          (SELECT h.attempt FROM job_history h WHERE h.job_id = backup_jobs.id
            ORDER BY h.attempt DESC, h.at_ms DESC LIMIT 1),
          (SELECT h.bytes_transferred FROM job_history h WHERE h.job_id = backup_jobs.id
            ORDER BY h.attempt DESC, h.at_ms DESC LIMIT 1)
        FROM backup_jobs
        """

    static func disks(_ count: Int) -> String {
        """
        SELECT \(JobStore.diskColumns), total_bytes IS NOT NULL FROM backup_disks
        WHERE backup_job_id IN (\(marks(count))) ORDER BY backup_job_id, disk_index
        """
    }

    static func changes(_ count: Int) -> String {
        "SELECT id, attempt, at_ms, to_status, cause FROM job_events WHERE id IN (\(marks(count)))"
    }

    private static func marks(_ count: Int) -> String {
        Array(repeating: "?", count: count).joined(separator: ",")
    }

    /// nil for a row that no rule can judge. Its disks and its newest change are not among its columns.
    static func job(_ row: Row) throws(DatabaseError) -> AuditedJob? {
        guard let job = try JobStore.job(row) else { return nil }
        var point: AuditedJob.Point?
        if let attempt = try row.optionalInt(22) {
            point = AuditedJob.Point(attempt: attempt, bytes: try row.int(23))
        }
        return AuditedJob(
            job,
            isOurs: try row.int(18) != 0,
            hasEnd: try row.int(17) != 0,
            newestPoint: point,
            silenceMilliseconds: try row.optionalInt(19),
            ageMilliseconds: try row.optionalInt(20)
        )
    }

    /// Locks a job's rows in the order of every other service: jobs before disks.
    func lock(_ id: JobID) throws(DatabaseError) {
        try connection.prepare("SELECT id FROM backup_jobs WHERE id = ? FOR UPDATE")
            .execute([.text(id.rawValue)])
        try connection.prepare(
            "SELECT disk_index FROM backup_disks WHERE backup_job_id = ? ORDER BY disk_index FOR UPDATE"
        ).execute([.text(id.rawValue)])
    }

    /// Stores what differs, and nothing else.
    func mend(_ stored: AuditedJob, _ mended: AuditedJob) throws(DatabaseError) {
        let id = Value.text(stored.job.id.rawValue)
        let columns = Self.changedColumns(stored.job, mended.job)
        if !columns.isEmpty {
            let list = columns.map(\.assignment).joined(separator: ", ")
            try connection.prepare("UPDATE backup_jobs SET \(list) WHERE id = ?")
                .execute(columns.map(\.value) + [id])
        }
        for (old, disk) in zip(stored.job.disks, mended.job.disks) where old != disk {
            try connection.prepare(
                """
                UPDATE backup_disks SET status = ?, error_message = ?, progress_percent = ? / 100
                WHERE backup_job_id = ? AND disk_index = ?
                """
            ).execute([
                .text(disk.status.rawValue), Value(disk.errorMessage), .int(Int64(disk.percentHundredths)),
                id, .int(Int64(disk.index)),
            ])
        }
        guard stored.hasEnd != mended.hasEnd else { return }
        try mendEnd(id, mended.newEndMilliseconds)
    }

    /// Only a NOW() that stands alone is stored as the instant that it is, also in the hour that the end of
    /// daylight saving repeats: so the statement is given the instant as its time.
    private func mendEnd(_ id: Value, _ milliseconds: Int64?) throws(DatabaseError) {
        guard let milliseconds else {
            try connection.prepare("UPDATE backup_jobs SET completed_at = NULL WHERE id = ?").execute([id])
            return
        }
        try connection.prepare(
            """
            SET STATEMENT timestamp = \(milliseconds / 1000) FOR
              UPDATE backup_jobs SET completed_at = NOW() WHERE id = ?
            """
        ).execute([id])
    }

    private static func changedColumns(_ stored: Job, _ mended: Job) -> [(assignment: String, value: Value)] {
        var columns: [(assignment: String, value: Value)] = []
        func add<Field: Equatable>(_ field: KeyPath<Job, Field>, _ assignment: String, _ value: Value) {
            if stored[keyPath: field] != mended[keyPath: field] { columns.append((assignment, value)) }
        }
        add(\.bytes, "bytes_transferred = ?", .int(mended.bytes))
        add(\.total, "total_bytes = ?", .int(mended.total))
        add(\.percentHundredths, "progress_percent = ? / 100", .int(Int64(mended.percentHundredths)))
        add(\.speed, "transfer_speed_bps = ?", Value(mended.speed))
        add(\.etaSeconds, "eta_seconds = ?", Value(mended.etaSeconds.map(Int64.init)))
        add(\.phase, "current_phase = ?", .text(mended.phase))
        add(\.errorMessage, "error_message = ?", Value(mended.errorMessage))
        add(\.isPresumed, "presumed = ?", .int(mended.isPresumed ? 1 : 0))
        return columns
    }
}
