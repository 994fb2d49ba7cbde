/// What holds for every job that is stored right; the audit names a breach by its rule.
public enum AuditRule: String, Sendable, CaseIterable {
    /// The parent's bytes are the sum over its disks.
    case bytes
    /// The parent's total is the sum over its disks' totals.
    case total
    /// The percentage lies in 0...100 and is that of bytes in total; a completed job stands at 100.
    case percent
    /// A completed job has completed disks only.
    case completedDisks = "completed-disks"
    /// A failed or cancelled job has no disk that is still to be done.
    case openDisks = "open-disks"
    /// A disk's bytes and total are not negative.
    case diskNumbers = "disk-numbers"
    /// A disk's percentage is that of its bytes in its total; a completed disk stands at 100.
    case diskPercent = "disk-percent"
    /// A completed job is in the phase completed.
    case phase
    /// A completed job has no error text; a failed and a stalled one have one.
    case errorText = "error-text"
    /// A job that has ended has speed 0 and ETA 0.
    case rates
    /// A job has a time of its end exactly if it has ended.
    case completedAt = "completed-at"
    /// Only a failure that the stale-detector called out is presumed.
    case presumed
    /// Attempts count from 1.
    case attempt
    /// The newest event of the job says what its row says.
    case events
    /// The history tells of no attempt, and at the end of no bytes, beyond the row's.
    case history
}
