internal import Curl
internal import Threading

/// Sends messages to the hub over HTTP. It blocks and belongs to one thread.
struct HubClient: ~Copyable {
    /// The most that one request may take, as in the field's own client.
    static let timeoutMilliseconds = 10_000
    static let connectTimeoutMilliseconds = 3000

    private var http: HTTPClient
    private let access: HubAccess
    private let isStopped: @Sendable () -> Bool
    private var token: String?

    /// - Parameters:
    ///   - access: where the hub is.
    ///   - isStopped: whether a request in flight is to be given up; asked every 50 ms.
    /// - Throws: `CurlError` where libcurl cannot be set up.
    init(
        _ access: HubAccess,
        isStopped: @escaping @Sendable () -> Bool = { false }
    ) throws(CurlError) {
        http = try HTTPClient(
            userAgent: "sendense-backup-client/\(SendenseBackupClient.version)",
            authorityFile: access.caFile
        )
        self.access = access
        self.isStopped = isStopped
        token = access.token
    }

    /// Sends the message at a delivery's head, and tells the delivery what came of it.
    ///
    /// - Parameters:
    ///   - outgoing: what to send.
    ///   - writer: makes its body and path.
    ///   - delivery: whose head it is.
    ///   - timeoutMilliseconds: the most that it may take.
    /// - Returns: what the delivery makes of the answer, or of its absence.
    mutating func send(
        _ outgoing: Outgoing,
        _ writer: MessageWriter,
        of delivery: inout Delivery,
        timeoutMilliseconds: Int
    ) -> Delivery.Outcome {
        var generator = SystemRandomNumberGenerator()
        do throws(CurlError) {
            let answer = try send(
                outgoing,
                writer,
                attempt: delivery.attempt,
                timeoutMilliseconds: timeoutMilliseconds
            )
            return delivery.answered(
                answer,
                nowMilliseconds: MonotonicClock.nowMilliseconds,
                using: &generator
            )
        } catch {
            return delivery.failed(
                reason: error.description,
                nowMilliseconds: MonotonicClock.nowMilliseconds,
                using: &generator
            )
        }
    }

    /// Sends a message and waits for its answer.
    ///
    /// - Parameters:
    ///   - outgoing: what to send.
    ///   - writer: makes its body and path.
    ///   - attempt: which run of the job it belongs to.
    ///   - timeoutMilliseconds: the most that it may take.
    /// - Returns: the hub's answer.
    /// - Throws: `CurlError` where no answer came.
    mutating func send(
        _ outgoing: Outgoing,
        _ writer: MessageWriter,
        attempt: Int64,
        timeoutMilliseconds: Int
    ) throws(CurlError) -> HubAnswer {
        var headers = ["Content-Type: application/json", "Accept: application/json"]
        if let token { headers.append("Authorization: Bearer \(token)") }
        let response = try http.post(
            url: access.url + writer.path(of: outgoing.content),
            headers: headers,
            body: writer.body(of: outgoing, attempt: attempt, nowMilliseconds: WallClock.nowMilliseconds)
                .bytes,
            timeoutMilliseconds: timeoutMilliseconds,
            connectTimeoutMilliseconds: min(Self.connectTimeoutMilliseconds, timeoutMilliseconds),
            isStopped: isStopped
        )
        // A token that is renewed while a backup runs is in its file by the next try.
        if response.status == 401 { readToken() }
        return HubAnswer(response)
    }

    private mutating func readToken() {
        // A pipe has nothing more, and one with a name might be waited for without end.
        guard let file = access.tokenFile, InputFile.isRegular(file) else { return }
        // Unreadable at this moment, it may be being replaced: the last one stays.
        if let text = try? HubAccess.token(in: file) { token = text }
    }
}
