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
    /// Its last sign of life, in UTC milliseconds by the database's clock.
    public var contactMilliseconds: Int64
    /// The column that this is taken from as it was read, which a mark wants unchanged. nil in rows of a hub that no
    /// message of ours has touched yet.
    public var lastContactMilliseconds: Int64?
    /// When it was read, in UTC milliseconds by the database's clock.
    public var readMilliseconds: Int64
}

/// What a mark rests on, for the event that it leaves.
public struct SilenceEvidence: Equatable, Sendable {
    /// The silence that counts, in milliseconds: what could have been broken.
    public var silenceMilliseconds: Int64
    /// Since when the way into the database has been whole, in UTC milliseconds by the database's clock.
    public var pathUpSinceMilliseconds: Int64

    /// Creates evidence from its parts.
    public init(silenceMilliseconds: Int64, pathUpSinceMilliseconds: Int64) {
        self.silenceMilliseconds = silenceMilliseconds
        self.pathUpSinceMilliseconds = pathUpSinceMilliseconds
    }
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

    /// The running or stalled jobs whose last sign of life is old enough, the oldest first.
    ///
    /// The index proposes by `last_telemetry_at`, which is local time and may be stepped; how much of the silence
    /// counts is for the caller to say. Jobs that never reported are never among them.
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
            SELECT id, status, attempt, telemetry_seq, last_contact_ms, \(ServerClock.milliseconds),
              TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) * 1000
            FROM backup_jobs FORCE INDEX (idx_last_telemetry)
            WHERE status = ? AND last_telemetry_at IS NOT NULL
              AND (last_telemetry_at <= NOW() - INTERVAL ? SECOND OR last_telemetry_at > NOW())
            ORDER BY last_telemetry_at LIMIT \(Self.jobCountMax)
            """
        ).query([.text(status.rawValue), .int(seconds)])
        var jobs: [SilentJob] = []
        for row in rows {
            guard let id = JobID(try row.text(0)), let status = try JobStatus(stored: row.optionalText(1))
            else {
                continue
            }
            let now = try row.int(5)
            let contact = try row.optionalInt(4)
            let local = try row.int(6)
            let job = SilentJob(
                id: id,
                status: status,
                attempt: try row.int(2),
                seq: try row.int(3),
                contactMilliseconds: contact ?? now - local,
                lastContactMilliseconds: contact,
                readMilliseconds: now
            )
            jobs.append(job)
        }
        return jobs
    }

    /// Marks a job, if it is still what was read.
    ///
    /// Waits for nobody: a row that another transaction holds is an error of kind `retry` at once.
    ///
    /// - Parameters:
    ///   - job: the job as it was read.
    ///   - mark: what to make of it.
    ///   - evidence: what the mark rests on.
    ///   - rule: the thresholds and their words.
    /// - Returns: false if the job has moved since; nothing was changed then.
    /// - Throws: `DatabaseError`; nothing was changed then.
    public func mark(
        _ job: SilentJob,
        as mark: StaleRule.Mark,
        _ evidence: SilenceEvidence,
        by rule: StaleRule
    ) throws(DatabaseError) -> Bool {
        try connection.transaction { () throws(DatabaseError) -> Bool in
            guard try lock(job) else { return false }
            switch mark {
            case .stall: return try stall(job, evidence, rule)
            case .fail: return try fail(job, evidence, rule)
            }
        }
    }

    /// Looks whether another transaction holds a row of a job's or of its disks; one that only looks, too, is none.
    ///
    /// - Throws: `DatabaseError` of kind `retry` if it does.
    public func probe(_ job: SilentJob) throws(DatabaseError) {
        _ = try connection.transaction { () throws(DatabaseError) -> Bool in
            try rows(of: job, "LOCK IN SHARE MODE NOWAIT")
        }
    }

    /// Whether the row is there; it is ours until the transaction ends.
    private func lock(_ job: SilentJob) throws(DatabaseError) -> Bool {
        try rows(of: job, "FOR UPDATE NOWAIT")
    }

    /// Takes the rows of a job and its disks, in the order in which all take them. Whether the job is there.
    private func rows(of job: SilentJob, _ locking: String) throws(DatabaseError) -> Bool {
        let id = Value.text(job.id.rawValue)
        let found = try connection.prepare("SELECT 1 FROM backup_jobs WHERE id = ? \(locking)").query([id])
        _ = try connection.prepare("SELECT 1 FROM backup_disks WHERE backup_job_id = ? \(locking)").query([id]
        )
        return !found.isEmpty
    }

    private func stall(
        _ job: SilentJob,
        _ evidence: SilenceEvidence,
        _ rule: StaleRule
    ) throws(DatabaseError) -> Bool {
        let matched = try connection.prepare(
            """
            UPDATE backup_jobs SET status = 'stalled', error_message = ?, transfer_speed_bps = 0,
              eta_seconds = NULL \(Self.stillTheSame)
            """
        ).execute([.text(rule.stalledMessage)] + Self.sameness(job, rule.stalledAfterSeconds))
        guard matched == 1 else { return false }
        try insertEvent(job, to: .stalled, .silentStalled, evidence, rule)
        return true
    }

    private func fail(
        _ job: SilentJob,
        _ evidence: SilenceEvidence,
        _ rule: StaleRule
    ) throws(DatabaseError) -> Bool {
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
        try insertEvent(job, to: .failed, .silentFailed, evidence, rule)
        return true
    }

    /// The row is still the one that was read. A row of a hub without our column for contacts has to be as old as
    /// its time in `last_telemetry_at` says.
    private static let stillTheSame = """
        WHERE id = ? AND status = ? AND attempt = ? AND last_contact_ms <=> ?
          AND (last_contact_ms IS NOT NULL OR TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) >= ?)
        """

    private static func sameness(_ job: SilentJob, _ seconds: Int64) -> [Value] {
        [
            .text(job.id.rawValue), .text(job.status.rawValue), .int(job.attempt),
            Value(job.lastContactMilliseconds), .int(seconds),
        ]
    }

    private func insertEvent(
        _ job: SilentJob,
        to status: JobStatus,
        _ cause: StatusChange.Cause,
        _ evidence: SilenceEvidence,
        _ rule: StaleRule
    ) throws(DatabaseError) {
        try connection.prepare(JobEvents.insert).execute([
            .text(job.id.rawValue), .int(job.attempt), .text(job.status.rawValue), .text(status.rawValue),
            .text(cause.rawValue),
            .text(
                "silent for \(evidence.silenceMilliseconds) ms; last seq=\(job.seq); thresholds "
                    + "\(rule.stalledAfterSeconds) s and \(rule.failedAfterSeconds) s; path up for "
                    + "\(max(0, job.readMilliseconds - evidence.pathUpSinceMilliseconds)) ms"
            ),
        ])
    }
}
