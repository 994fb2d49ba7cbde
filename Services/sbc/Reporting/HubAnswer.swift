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
    /// Whether the body is one that a hub writes: a JSON object that says how it went. A login page, another server's
    /// page or nothing at all says no such thing, whatever the status.
    var isHubs: Bool
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
        isHubs: Bool = true,
        excerpt: String = ""
    ) {
        self.status = status
        self.retryAfterSeconds = retryAfterSeconds
        self.jobStatus = jobStatus
        self.attempt = attempt
        self.storedSeq = storedSeq
        self.command = command
        self.isHubs = isHubs
        self.excerpt = excerpt
    }

    /// Reads a response. Members of other types just say less. Which media type the body claims is not asked: old hubs
    /// give none of JSON's.
    init(_ response: HTTPResponse) {
        let members = try? JSONDecoder().decode(Members.self, from: Data(response.body))
        self.init(
            status: response.status,
            retryAfterSeconds: response.retryAfterSeconds,
            jobStatus: members?.jobStatus,
            attempt: members?.attempt,
            storedSeq: members?.storedSeq,
            command: members?.command.flatMap(Command.init(rawValue:)),
            isHubs: members?.isHubs ?? false,
            excerpt: String(decoding: response.body.prefix(300), as: UTF8.self)
        )
    }

    /// What a hub says of the message itself: the same one will never be taken.
    private static let finalStatuses: Set<Int> = [400, 409, 410, 413, 415, 422]

    /// Whether the same message may be taken later. The contract names 429, 502, 503 and 504; what else a balancer
    /// or proxy on the way says is no word on the message, and none may be lost. With 401 the token is at fault, which
    /// people can mend while the message waits.
    var isWorthRetrying: Bool {
        !(isSuccess || Self.finalStatuses.contains(status) || (status == 404 && isHubs))
    }

    /// Whether the hub itself may be at fault with this, for a while: then the registration waits for its answer.
    /// Else somebody on the way does not know the registration's path, and updates may pass.
    var isTroubleOfHub: Bool { status == 401 || status == 429 || status >= 500 || status < 300 }

    /// Whether the message was taken.
    var isSuccess: Bool { (200..<300).contains(status) && isHubs }

    /// The answer, for people.
    var words: String {
        let start = isHubs || !(200..<300).contains(status) ? "" : "the answer is not a hub's: "
        return start + (excerpt.isEmpty ? "HTTP \(status)" : "HTTP \(status): \(excerpt)")
    }
}

/// The members of a body that a client acts on, each on its own feet.
private struct Members: Decodable {
    var jobStatus: String?
    var attempt: Int64?
    var storedSeq: Int64?
    var command: String?
    /// It has one of the members by which answers and problem documents say how it went; old hubs' errors have `error`.
    var isHubs: Bool

    enum CodingKeys: String, CodingKey {
        case status, title, detail, error
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
        isHubs = !container.allKeys.isEmpty
    }
}
