public import JobModel

/// Jobs as they were read under lock, and what storing them has to know beside.
public struct LockedJobs: Sendable {
    /// Where a job's history stands.
    struct History: Sendable {
        /// Since the newest point, by the database's clock; negative if that was set back. nil: there is none.
        var sinceLastMilliseconds: Int64?
        /// Since the attempt began.
        var runMilliseconds: Int64
    }

    /// The jobs that are there, by id.
    public internal(set) var jobs: [JobID: Job] = [:]
    /// Jobs that are there, and rows of which another transaction holds; only where those were skipped.
    public internal(set) var held: Set<JobID> = []
    /// Jobs that are there, with a word that no rule knows.
    public internal(set) var foreign: [JobID: ForeignWord] = [:]
    var histories: [JobID: History] = [:]

    /// Another transaction has rows of the job.
    mutating func leaveOut(_ id: JobID) {
        jobs[id] = nil
        histories[id] = nil
        held.insert(id)
    }

    /// Whether a change is to leave a point in the history.
    func pointIsDue(_ change: JobChange) -> Bool {
        guard change.isHistory else { return false }
        let isSameAttempt = change.before?.attempt == change.after.attempt
        let history = isSameAttempt ? histories[change.after.id] : nil
        return HistoryRule.isDue(
            sinceLastMilliseconds: history?.sinceLastMilliseconds,
            runMilliseconds: history?.runMilliseconds ?? 0,
            isEnd: change.isEnd
        )
    }
}
