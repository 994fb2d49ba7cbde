/// When a silent job is called out, and in which words.
public struct StaleRule: Equatable, Sendable {
    /// Seconds of silence after which a job is stalled.
    public let stalledAfterSeconds: Int64
    /// Seconds of silence after which a job is presumed to have failed.
    public let failedAfterSeconds: Int64

    /// What to do about a silent job.
    public enum Mark: Equatable, Sendable {
        case stall, fail
    }

    /// Creates a rule. nil unless 0 < stalled < failed.
    public init?(stalledAfterSeconds: Int64, failedAfterSeconds: Int64) {
        guard 0 < stalledAfterSeconds, stalledAfterSeconds < failedAfterSeconds else { return nil }
        self.stalledAfterSeconds = stalledAfterSeconds
        self.failedAfterSeconds = failedAfterSeconds
    }

    /// Judges a job by its status and its silence in milliseconds. nil: nothing to do.
    public func mark(status: JobStatus, silenceMilliseconds: Int64) -> Mark? {
        switch status {
        case .running, .stalled:
            if silenceMilliseconds >= failedAfterSeconds * 1000 { return .fail }
            return status == .running && silenceMilliseconds >= stalledAfterSeconds * 1000 ? .stall : nil
        case .pending, .completed, .failed, .cancelled:
            return nil
        }
    }

    /// The error text of a stalled job; operators' queries look for these very words.
    public var stalledMessage: String {
        "Job stalled due to no telemetry updates for \(stalledAfterSeconds)s"
    }

    /// The error text of a job presumed failed; operators' queries look for these very words.
    public var failedMessage: String {
        "Job failed due to no telemetry updates for \(Self.goDuration(seconds: failedAfterSeconds))"
    }

    /// A duration as Go prints it: 300 is "5m0s", 8 is "8s", 3600 is "1h0m0s".
    static func goDuration(seconds: Int64) -> String {
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
        if hours > 0 { return "\(hours)h\(minutes)m\(rest)s" }
        return minutes > 0 ? "\(minutes)m\(rest)s" : "\(rest)s"
    }
}
