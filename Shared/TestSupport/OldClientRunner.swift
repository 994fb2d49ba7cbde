/// How an old client deals with answers: it waits ten seconds for one and never sends a message twice; a
/// refusal is noted and forgotten.
public struct OldClientRunner {
    /// The seconds that it waits for an answer.
    public static let timeoutSeconds = 10

    /// What it has noted: a line for each request that got no answer or a status of 400 and more.
    public private(set) var errors: [String] = []

    private let post: (ClientRequest) throws -> Int

    /// A client that has not sent anything.
    ///
    /// - Parameter post: posts a request within the timeout and returns the answer's status.
    public init(post: @escaping (ClientRequest) throws -> Int) {
        self.post = post
    }

    /// Sends a request, once.
    public mutating func send(_ request: ClientRequest) {
        do {
            let status = try post(request)
            if status >= 400 { errors.append("HTTP \(status): \(request.path) \(request.body)") }
        } catch {
            errors.append("\(error): \(request.path) \(request.body)")
        }
    }

    /// Sends requests, one after the other.
    public mutating func send(_ requests: [ClientRequest]) {
        for request in requests { send(request) }
    }
}
