/// What became of one message. Given after the commit, never before.
public enum Verdict: String, Sendable, CaseIterable {
    /// Stored.
    case applied
    /// A new job was stored.
    case created
    /// Exactly this was stored before; nothing changed.
    case repeated
    /// Something newer was stored before; nothing but the contact changed.
    case superseded
    /// No such job.
    case unknownJob
    /// The job has no such disk.
    case unknownDisk
    /// The job has ended; nothing changed.
    case terminal
    /// It contradicts what is stored: another attempt, another VM, type or set of disks.
    case conflict
    /// The database will never take it.
    case rejected
    /// It could not be stored now; worth a retry.
    case unavailable
    /// It could not be stored now, since another transaction holds the job's row; worth a retry.
    case held
}

/// What the client should do next, where that is not plain from the verdict.
public enum ClientCommand: String, Sendable {
    /// Stop the copy: the job was cancelled.
    case cancel
    /// Register the attempt first.
    case register
}

/// One thing wrong with a message.
public struct Problem: Equatable, Sendable {
    /// JSON Pointer (RFC 6901) of the member at fault; "" is the whole body.
    public var pointer: String
    /// What is wrong and what would be right.
    public var detail: String

    /// Creates a problem from its parts.
    public init(pointer: String, detail: String) {
        self.pointer = pointer
        self.detail = detail
    }
}

/// The answer to one message: its verdict, and where the job stands after it.
public struct Answer: Equatable, Sendable {
    /// What became of the message.
    public var verdict: Verdict
    /// The job's status after it. nil if the job is unknown or could not be read.
    public var jobStatus: JobStatus?
    /// The attempt that is stored; 0 if the job is unknown or could not be read.
    public var attempt: Int64
    /// The newest `seq` that is stored for that attempt; 0 if none.
    public var storedSeq: Int64
    /// Why, in a sentence; "" where the verdict says it all.
    public var detail: String
    /// What the client should do next. nil: nothing special.
    public var command: ClientCommand?
    /// The members at fault, for `rejected`.
    public var problems: [Problem]

    /// Creates an answer from its parts.
    public init(
        _ verdict: Verdict,
        jobStatus: JobStatus? = nil,
        attempt: Int64 = 0,
        storedSeq: Int64 = 0,
        detail: String = "",
        command: ClientCommand? = nil,
        problems: [Problem] = []
    ) {
        self.verdict = verdict
        self.jobStatus = jobStatus
        self.attempt = attempt
        self.storedSeq = storedSeq
        self.detail = detail
        self.command = command
        self.problems = problems
    }
}
