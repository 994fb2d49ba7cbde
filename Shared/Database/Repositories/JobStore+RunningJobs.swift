public import JobModel

/// A running job as a look without locks found it: it may be another one by now.
public struct RunningJob: Sendable {
    /// The job's id.
    public let id: JobID
    /// What the next plain progress can be merged by.
    public let job: RememberedJob
    /// Where its history stands.
    public let history: JobHistory

    /// Creates it from its parts.
    public init(id: JobID, job: RememberedJob, history: JobHistory) {
        self.id = id
        self.job = job
        self.history = history
    }
}

// Looks ahead, for whoever merges by what is remembered.
extension JobStore {
    /// The ids of running jobs, ascending as the database compares them.
    ///
    /// - Parameters:
    ///   - id: they come behind this one. Empty: from the first on.
    ///   - countMax: the most ids.
    /// - Returns: the ids as they are stored.
    /// - Throws: `DatabaseError`.
    public func runningIDs(behind id: String, countMax: Int) throws(DatabaseError) -> [String] {
        // The index has the ids as well, so no row is read; each call walks the running jobs' part of it.
        let rows = try connection.prepare(
            """
            SELECT id FROM backup_jobs FORCE INDEX (idx_last_telemetry)
            WHERE status = 'running' AND id > ? ORDER BY id LIMIT ?
            """
        ).query([.text(id), .int(Int64(countMax))])
        var ids: [String] = []
        ids.reserveCapacity(rows.count)
        for row in rows { ids.append(try row.text(0)) }
        return ids
    }

    /// Looks at jobs and their disks without locking a row.
    ///
    /// - Parameter ids: at most `jobCountMax`.
    /// - Returns: those of the jobs that can be remembered, in no order.
    /// - Throws: `DatabaseError`.
    public func look(at ids: some Collection<String>) throws(DatabaseError) -> [RunningJob] {
        let wanted = ids.compactMap(JobID.init)
        guard !wanted.isEmpty else { return [] }
        let parameters = Self.padded(wanted)
        let marks = Self.marks(parameters)
        var found = LockedJobs()
        try take(try connection.prepare(Self.readJobs(marks, "")).query(parameters), Set(wanted), &found)
        try takeDisks(try connection.prepare(Self.readDisks(marks, "")).query(parameters), &found)
        return found.jobs.values.compactMap { job in
            RememberedJob(job).map { remembered in
                RunningJob(id: job.id, job: remembered, history: found.histories[job.id] ?? JobHistory())
            }
        }
    }
}
