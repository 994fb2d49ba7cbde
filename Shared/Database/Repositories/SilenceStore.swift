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

/// A job that is to be marked, as what and why.
public struct SilenceMark: Sendable {
    /// The job as it was read.
    public var job: SilentJob
    /// What to make of it.
    public var mark: StaleRule.Mark
    /// What the mark rests on.
    public var evidence: SilenceEvidence

    /// Creates a mark from its parts.
    public init(job: SilentJob, mark: StaleRule.Mark, evidence: SilenceEvidence) {
        self.job = job
        self.mark = mark
        self.evidence = evidence
    }

    var status: JobStatus { mark == .stall ? .stalled : .failed }

    var cause: StatusChange.Cause { mark == .stall ? .silentStalled : .silentFailed }

    /// Seconds of silence after which the mark is due.
    public func thresholdSeconds(_ rule: StaleRule) -> Int64 {
        mark == .stall ? rule.stalledAfterSeconds : rule.failedAfterSeconds
    }

    /// The evidence in words, for the event.
    func words(_ rule: StaleRule) -> String {
        "silent for \(evidence.silenceMilliseconds) ms; last seq=\(job.seq); thresholds "
            + "\(rule.stalledAfterSeconds) s and \(rule.failedAfterSeconds) s; path up for "
            + "\(max(0, job.readMilliseconds - evidence.pathUpSinceMilliseconds)) ms"
    }
}

/// Finds silent jobs and marks them. Every mark is conditional, so several detectors do no harm.
public struct SilenceStore {
    /// The most jobs of one look.
    public static let jobCountMax = 1000
    /// The most jobs that one transaction marks or probes: enough to make its commit cheap, few enough that the
    /// writer waits for it no longer than for a commit of its own.
    public static let markCountMax = 64

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

    /// Marks a job, if it is still what was read; see `mark(_:by:)`.
    ///
    /// - Returns: false if the job has moved since; nothing was changed then.
    /// - Throws: `DatabaseError`; nothing was changed then.
    public func mark(
        _ job: SilentJob,
        as mark: StaleRule.Mark,
        _ evidence: SilenceEvidence,
        by rule: StaleRule
    ) throws(DatabaseError) -> Bool {
        try !self.mark([SilenceMark(job: job, mark: mark, evidence: evidence)], by: rule).isEmpty
    }

    /// Marks those jobs that are still what was read, in one transaction.
    ///
    /// Waits for nobody: a row that another transaction holds is an error of kind `retry` at once.
    ///
    /// - Parameters:
    ///   - marks: each job once, at most `markCountMax`.
    ///   - rule: the thresholds and their words.
    /// - Returns: the jobs that were marked; the others have moved since.
    /// - Throws: `DatabaseError`; nothing was changed then.
    public func mark(_ marks: [SilenceMark], by rule: StaleRule) throws(DatabaseError) -> Set<JobID> {
        try connection.transaction { () throws(DatabaseError) -> Set<JobID> in
            let same = try lock(marks, rule)
            // What makes a table grow comes before what changes rows: see JobStore.
            try insertEvents(same, rule)
            try stall(same.filter { $0.mark == .stall }, rule)
            try fail(same.filter { $0.mark == .fail }, rule)
            return Set(same.map(\.job.id))
        }
    }

    /// Looks whether another transaction holds a row of one of these jobs or of their disks; one that only looks,
    /// too, is none.
    ///
    /// - Parameter jobs: at most `markCountMax`.
    /// - Throws: `DatabaseError` of kind `retry` if it does.
    public func probe(_ jobs: [SilentJob]) throws(DatabaseError) {
        _ = try connection.transaction { () throws(DatabaseError) -> [Row] in
            try rows(of: jobs, "LOCK IN SHARE MODE NOWAIT")
        }
    }

    /// Takes the jobs' rows until the transaction ends.
    ///
    /// - Returns: those that are still what was read. A row of a hub without our column for contacts has to be as
    ///   old as its time in `last_telemetry_at` says.
    private func lock(_ marks: [SilenceMark], _ rule: StaleRule) throws(DatabaseError) -> [SilenceMark] {
        var wanted: [JobID: SilenceMark] = [:]
        for mark in marks { wanted[mark.job.id] = mark }
        var same: [SilenceMark] = []
        for row in try rows(of: marks.map(\.job), "FOR UPDATE NOWAIT") {
            guard let id = JobID(try row.text(0)), let mark = wanted[id] else { continue }
            let contact = try row.optionalInt(3)
            guard try row.text(1) == mark.job.status.rawValue, try row.int(2) == mark.job.attempt,
                contact == mark.job.lastContactMilliseconds
            else { continue }
            if contact == nil {
                guard let seconds = try row.optionalInt(4), seconds >= mark.thresholdSeconds(rule) else {
                    continue
                }
            }
            same.append(mark)
        }
        return same
    }

    /// Takes the rows of jobs and their disks, in the order in which all take them; returns those of the jobs.
    private func rows(of jobs: [SilentJob], _ locking: String) throws(DatabaseError) -> [Row] {
        let parameters = JobStore.padded(jobs.map(\.id).sorted())
        let marks = JobStore.marks(parameters)
        let found = try connection.prepare(
            """
            SELECT id, status, attempt, last_contact_ms, TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW())
            FROM backup_jobs WHERE id IN (\(marks)) ORDER BY id \(locking)
            """
        ).query(parameters)
        _ = try connection.prepare(
            """
            SELECT 1 FROM backup_disks WHERE backup_job_id IN (\(marks)) ORDER BY backup_job_id, disk_index
              \(locking)
            """
        ).query(parameters)
        return found
    }

    private func stall(_ marks: [SilenceMark], _ rule: StaleRule) throws(DatabaseError) {
        guard !marks.isEmpty else { return }
        try connection.prepare(
            """
            UPDATE backup_jobs SET status = 'stalled', error_message = ?, transfer_speed_bps = 0,
              eta_seconds = NULL WHERE id = ?
            """
        ).executeBulk(
            [.texts(marks.map { _ in rule.stalledMessage }), .texts(marks.map(\.job.id.rawValue))],
            rowCount: marks.count
        )
    }

    private func fail(_ marks: [SilenceMark], _ rule: StaleRule) throws(DatabaseError) {
        guard !marks.isEmpty else { return }
        let parameters: [BulkColumn] = [
            .texts(marks.map { _ in rule.failedMessage }), .texts(marks.map(\.job.id.rawValue)),
        ]
        try connection.prepare(
            """
            UPDATE backup_jobs SET status = 'failed', error_message = ?, presumed = 1, completed_at = NOW(),
              transfer_speed_bps = 0, eta_seconds = 0 WHERE id = ?
            """
        ).executeBulk(parameters, rowCount: marks.count)
        try connection.prepare(
            """
            UPDATE backup_disks SET status = 'failed', error_message = ?
            WHERE backup_job_id = ? AND status <> 'completed'
            """
        ).executeBulk(parameters, rowCount: marks.count)
    }

    private func insertEvents(_ marks: [SilenceMark], _ rule: StaleRule) throws(DatabaseError) {
        guard !marks.isEmpty else { return }
        try connection.prepare(JobEvents.insert).executeBulk(
            [
                .texts(marks.map(\.job.id.rawValue)), .ints(marks.map(\.job.attempt)),
                .texts(marks.map(\.job.status.rawValue)), .texts(marks.map(\.status.rawValue)),
                .texts(marks.map(\.cause.rawValue)), .texts(marks.map { $0.words(rule) }),
            ],
            rowCount: marks.count
        )
    }
}
