internal import Curl
internal import FoundationEssentials

/// What the hub answered: the status, and of the body what a client acts on.
struct HubAnswer: Equatable, Sendable {
    /// What the hub asks for.
    enum Command: String, Sendable {
        case cancel, register
    }

    /// The HTTP status.
    var status: Int
    var retryAfterSeconds: Int?
    /// The job's status after the message. nil if the answer does not say.
    var jobStatus: String?
    /// The attempt that the hub has stored. nil if the answer does not say.
    var attempt: Int64?
    /// The newest `seq` that the hub has stored. nil if the answer does not say.
    var storedSeq: Int64?
    var command: Command?
    /// The body's beginning, for the log.
    var excerpt: String

    /// Creates an answer from its parts.
    init(
        status: Int,
        retryAfterSeconds: Int? = nil,
        jobStatus: String? = nil,
        attempt: Int64? = nil,
        storedSeq: Int64? = nil,
        command: Command? = nil,
        excerpt: String = ""
    ) {
        self.status = status
        self.retryAfterSeconds = retryAfterSeconds
        self.jobStatus = jobStatus
        self.attempt = attempt
        self.storedSeq = storedSeq
        self.command = command
        self.excerpt = excerpt
    }

    /// Reads a response. A body that is no JSON object, or has members of other types, just says less: a
    /// balancer may have answered.
    init(_ response: HTTPResponse) {
        let members = try? JSONDecoder().decode(Members.self, from: Data(response.body))
        self.init(
            status: response.status,
            retryAfterSeconds: response.retryAfterSeconds,
            jobStatus: members?.jobStatus,
            attempt: members?.attempt,
            storedSeq: members?.storedSeq,
            command: members?.command.flatMap(Command.init(rawValue:)),
            excerpt: String(decoding: response.body.prefix(300), as: UTF8.self)
        )
    }

    /// Whether the same message may be taken later. The contract names 429, 502, 503 and 504; what else a balancer
    /// or proxy on the way says with 5xx is no word on the message either, and none may be lost. With 401 the
    /// token is at fault, which people can mend while the message waits.
    var isWorthRetrying: Bool { status == 401 || status == 429 || status >= 500 }

    /// Whether the message was taken.
    var isSuccess: Bool { (200..<300).contains(status) }
}

/// The members of a body that a client acts on, each on its own feet.
private struct Members: Decodable {
    var jobStatus: String?
    var attempt: Int64?
    var storedSeq: Int64?
    var command: String?

    enum CodingKeys: String, CodingKey {
        case jobStatus = "job_status"
        case attempt
        case storedSeq = "stored_seq"
        case command
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        jobStatus = try? container.decodeIfPresent(String.self, forKey: .jobStatus)
        attempt = try? container.decodeIfPresent(Int64.self, forKey: .attempt)
        storedSeq = try? container.decodeIfPresent(Int64.self, forKey: .storedSeq)
        command = try? container.decodeIfPresent(String.self, forKey: .command)
    }
}
