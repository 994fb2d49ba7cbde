public import JobModel

/// A job whose client has been silent for a while.
public struct SilentJob: Equatable, Sendable {
    /// The job's id.
    public var id: JobID
    /// Its status when it was read.
    public var status: JobStatus
    /// Which run of the job is stored.
    public var attempt: Int64
    /// The newest `seq` stored; 0 if none.
    public var seq: Int64
    /// Milliseconds since its last sign of life, by the database's clock.
    public var silenceMilliseconds: Int64
    /// The last sign of life as it was read: a mark holds only while it is still the last one.
    public var lastContactMilliseconds: Int64?
}

/// Finds silent jobs and marks them. Every mark is conditional, so several detectors do no harm.
public struct SilenceStore {
    /// The most jobs of one look.
    public static let jobCountMax = 1000

    private let connection: Connection

    /// The jobs behind a connection.
    public init(_ connection: Connection) {
        self.connection = connection
    }

    /// The running and stalled jobs that have been silent for at least so long, the longest silent first.
    ///
    /// The index proposes by `last_telemetry_at`, which is local time and may be stepped; `last_contact_ms`
    /// decides. Jobs that never reported are never among them.
    ///
    /// - Parameters:
    ///   - status: running or stalled.
    ///   - seconds: the threshold for that status.
    /// - Returns: at most `jobCountMax` jobs.
    /// - Throws: `DatabaseError`.
    public func silentJobs(status: JobStatus, forSeconds seconds: Int64) throws(DatabaseError) -> [SilentJob]
    {
        let rows = try connection.prepare(
            """
            SELECT id, status, attempt, telemetry_seq, last_contact_ms,
              COALESCE(\(ServerClock.milliseconds) - last_contact_ms,
                TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) * 1000)
            FROM backup_jobs FORCE INDEX (idx_last_telemetry)
            WHERE status = ? AND last_telemetry_at IS NOT NULL
              AND (last_telemetry_at <= NOW() - INTERVAL ? SECOND OR last_telemetry_at > NOW())
            ORDER BY last_telemetry_at LIMIT \(Self.jobCountMax)
            """
        ).query([.text(status.rawValue), .int(seconds)])
        var jobs: [SilentJob] = []
        for row in rows {
            guard let id = JobID(try row.text(0)), let status = JobStatus(rawValue: try row.text(1)) else {
                continue
            }
            let job = SilentJob(
                id: id,
                status: status,
                attempt: try row.int(2),
                seq: try row.int(3),
                silenceMilliseconds: try row.int(5),
                lastContactMilliseconds: try row.optionalInt(4)
            )
            jobs.append(job)
        }
        return jobs
    }

    /// Marks a job, if it is still what was read and still as silent.
    ///
    /// - Parameters:
    ///   - job: the job as it was read.
    ///   - mark: what to make of it.
    ///   - rule: the thresholds and their words.
    /// - Returns: false if the job has moved since; nothing was changed then.
    /// - Throws: `DatabaseError`; nothing was changed then.
    public func mark(
        _ job: SilentJob,
        as mark: StaleRule.Mark,
        by rule: StaleRule
    ) throws(DatabaseError) -> Bool {
        try connection.transaction { () throws(DatabaseError) -> Bool in
            switch mark {
            case .stall: try stall(job, rule)
            case .fail: try fail(job, rule)
            }
        }
    }

    private func stall(_ job: SilentJob, _ rule: StaleRule) throws(DatabaseError) -> Bool {
        let matched = try connection.prepare(
            """
            UPDATE backup_jobs SET status = 'stalled', error_message = ?, transfer_speed_bps = 0,
              eta_seconds = NULL \(Self.stillTheSame)
            """
        ).execute([.text(rule.stalledMessage)] + Self.sameness(job, rule.stalledAfterSeconds))
        guard matched == 1 else { return false }
        try insertEvent(job, to: .stalled, .silentStalled, rule)
        return true
    }

    private func fail(_ job: SilentJob, _ rule: StaleRule) throws(DatabaseError) -> Bool {
        let matched = try connection.prepare(
            """
            UPDATE backup_jobs SET status = 'failed', error_message = ?, presumed = 1, completed_at = NOW(),
              transfer_speed_bps = 0, eta_seconds = 0 \(Self.stillTheSame)
            """
        ).execute([.text(rule.failedMessage)] + Self.sameness(job, rule.failedAfterSeconds))
        guard matched == 1 else { return false }
        try connection.prepare(
            """
            UPDATE backup_disks SET status = 'failed', error_message = ?
            WHERE backup_job_id = ? AND status <> 'completed'
            """
        ).execute([.text(rule.failedMessage), .text(job.id.rawValue)])
        try insertEvent(job, to: .failed, .silentFailed, rule)
        return true
    }

    /// The row is still the one that was read, and silent for as long as the rule wants.
    private static let stillTheSame = """
        WHERE id = ? AND status = ? AND attempt = ? AND last_contact_ms <=> ?
          AND COALESCE(\(ServerClock.milliseconds) - last_contact_ms,
            TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) * 1000) >= ?
        """

    private static func sameness(_ job: SilentJob, _ seconds: Int64) -> [Value] {
        [
            .text(job.id.rawValue), .text(job.status.rawValue), .int(job.attempt),
            Value(job.lastContactMilliseconds), .int(seconds * 1000),
        ]
    }

    private func insertEvent(
        _ job: SilentJob,
        to status: JobStatus,
        _ cause: StatusChange.Cause,
        _ rule: StaleRule
    ) throws(DatabaseError) {
        try connection.prepare(JobEvents.insert).execute([
            .text(job.id.rawValue), .int(job.attempt), .text(job.status.rawValue), .text(status.rawValue),
            .text(cause.rawValue),
            .text(
                "silent for \(job.silenceMilliseconds) ms; last seq=\(job.seq); thresholds "
                    + "\(rule.stalledAfterSeconds) s and \(rule.failedAfterSeconds) s"
            ),
        ])
    }
}
