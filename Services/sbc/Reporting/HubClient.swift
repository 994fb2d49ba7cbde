internal import Curl

/// Sends messages to the hub over HTTP. It blocks and belongs to one thread.
struct HubClient: ~Copyable {
    /// The most that one request may take, as in the field's own client.
    static let timeoutMilliseconds = 10_000
    static let connectTimeoutMilliseconds = 3000

    private var http: HTTPClient
    private let hubURL: String
    private let writer: MessageWriter

    /// - Parameters:
    ///   - hubURL: `http://host:port`, without a slash at its end.
    ///   - writer: makes the bodies.
    /// - Throws: `CurlError` where libcurl cannot be set up.
    init(hubURL: String, writer: MessageWriter) throws(CurlError) {
        http = try HTTPClient(userAgent: "sendense-backup-client/\(SendenseBackupClient.version)")
        self.hubURL = hubURL
        self.writer = writer
    }

    /// Sends a message and waits for its answer.
    ///
    /// - Throws: `CurlError` where none came.
    mutating func send(
        _ outgoing: Outgoing,
        attempt: Int64,
        timeoutMilliseconds: Int
    ) throws(CurlError) -> HubAnswer {
        let response = try http.post(
            url: hubURL + writer.path(of: outgoing.content),
            headers: ["Content-Type: application/json", "Accept: application/json"],
            body: writer.body(of: outgoing.content, attempt: attempt).bytes,
            timeoutMilliseconds: timeoutMilliseconds,
            connectTimeoutMilliseconds: min(Self.connectTimeoutMilliseconds, timeoutMilliseconds)
        )
        return HubAnswer(response)
    }
}
