public import JobModel

/// What a refused request is told: a problem document (RFC 9457) of type `about:blank`.
public struct ProblemDocument: Equatable, Sendable {
    /// The media type to send it as.
    public static let mediaType = "application/problem+json"

    /// The HTTP status.
    public var status: Int
    /// The status in words, such as `Not Found`.
    public var title: String
    /// What happened and what to do about it.
    public var detail: String
    /// The path that was asked for. nil leaves the member out.
    public var instance: String?
    /// The members at fault.
    public var problems: [Problem]
    /// What the client should do next. nil leaves the member out.
    public var command: ClientCommand?
    /// The job's status. nil leaves the member out.
    public var jobStatus: JobStatus?
    /// The attempt that is stored; 0, for unknown, leaves it and `storedSeq` out.
    public var attempt: Int64
    /// The newest `seq` that is stored for that attempt; 0 if none.
    public var storedSeq: Int64

    /// Creates a document from its parts.
    public init(
        status: Int,
        title: String,
        detail: String,
        instance: String? = nil,
        problems: [Problem] = [],
        command: ClientCommand? = nil,
        jobStatus: JobStatus? = nil,
        attempt: Int64 = 0,
        storedSeq: Int64 = 0
    ) {
        self.status = status
        self.title = title
        self.detail = detail
        self.instance = instance
        self.problems = problems
        self.command = command
        self.jobStatus = jobStatus
        self.attempt = attempt
        self.storedSeq = storedSeq
    }

    /// Creates a document for an answer that is a refusal.
    ///
    /// - Parameters:
    ///   - status: the HTTP status that the verdict becomes.
    ///   - title: the status in words.
    ///   - answer: where the job stands; its `detail` is the document's, or the title if it is "".
    ///   - instance: the path that was asked for.
    public init(status: Int, title: String, answer: Answer, instance: String? = nil) {
        self.init(
            status: status,
            title: title,
            detail: answer.detail.isEmpty ? title : answer.detail,
            instance: instance,
            problems: answer.problems,
            command: answer.command,
            jobStatus: answer.jobStatus,
            attempt: answer.attempt,
            storedSeq: answer.storedSeq
        )
    }

    /// Creates a document for a body that the contract refuses: 400.
    ///
    /// - Parameters:
    ///   - error: everything that is wrong with the body.
    ///   - instance: the path that was asked for.
    public init(_ error: ContractError, instance: String? = nil) {
        let detail =
            switch error.kind {
            case .malformed: error.problems.first?.detail ?? "the body is not valid JSON"
            case .invalid: "the body does not fit the contract; errors names each member at fault"
            }
        self.init(
            status: 400,
            title: "Bad Request",
            detail: detail,
            instance: instance,
            problems: error.problems
        )
    }

    /// The document as JSON.
    ///
    /// - Parameter legacyMilliseconds: for the `/complete` route, the time in milliseconds since 1970 UTC:
    ///   adds the members `error`, `details` and `timestamp` that old clients read. nil leaves them out.
    /// - Returns: a JSON object.
    public func json(legacyMilliseconds: Int64? = nil) -> [UInt8] {
        var object = JSONWriter()
        object.member("type", "about:blank")
        object.member("title", title)
        object.member("status", Int64(status))
        object.member("detail", detail)
        if let instance { object.member("instance", instance) }
        if !problems.isEmpty { object.member("errors", problems) }
        if let command { object.member("command", command.rawValue) }
        object.standing(jobStatus, attempt: attempt, storedSeq: storedSeq)
        if let legacyMilliseconds {
            object.member("error", title)
            object.member("details", legacyDetails)
            object.member("timestamp", atMilliseconds: legacyMilliseconds)
        }
        return object.finished()
    }

    /// Old clients log `details` and nothing else, so it has to name the members itself.
    private var legacyDetails: String {
        let named = problems.filter { !$0.pointer.isEmpty }.map { "\($0.pointer) \($0.detail)" }
        return named.isEmpty ? detail : named.joined(separator: "; ")
    }
}
