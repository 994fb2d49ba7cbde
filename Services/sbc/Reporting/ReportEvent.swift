/// What happened in the copy that the hub has to hear of, with the counters of that moment.
struct ReportEvent: Sendable {
    enum Kind: Sendable {
        /// A phase began.
        case phase
        /// A disk is durable on its target.
        case diskCompleted
        /// A disk's change id is to be recorded.
        case completion(diskIndex: Int, changeID: String, bytes: Int64)
        /// The job ended well.
        case completed
        /// The job failed; the reason is for people.
        case failed(String)
        /// The job was stopped on request.
        case cancelled
    }

    var kind: Kind
    var progress: JobProgress
    /// Milliseconds since 1970 UTC.
    var atMilliseconds: Int64
}

/// What came of a run's reports.
struct ReportSummary: Equatable, Sendable {
    /// Telemetry updates that the hub has.
    var sentCount = 0
    /// Tries that got no answer, or one that asked to come again.
    var failedTryCount = 0
    /// The words of the last failed try.
    var lastFailure: String?
    /// Messages that the hub will never take.
    var droppedCount = 0
    /// Messages that were still waiting at the end.
    var undeliveredCount = 0
    /// How many of these are in the spool; the others are lost.
    var spooledCount = 0
    /// Messages other than progress that the hub refused for good.
    var refusedCount = 0
    /// Where these were put. nil: nowhere.
    var refusedFolder: String?
    /// What came of the reports of earlier runs.
    var backlog = BacklogTally()
    /// Why the hub refused the job. nil if it did not.
    var refusal: String?
    /// The attempt that was reported under.
    var attempt: Int64
    /// The newest `seq`.
    var lastSeq: Int64 = 0
    /// The job's status as the hub said it last.
    var jobStatus: String?
}
