/// A request as the door hands it on: framed, whole and within the limits.
struct DoorRequest: Sendable {
    /// GET, POST, ….
    var method: String
    /// The path without the query, still percent-encoded.
    var path: String
    /// The body, whole.
    var body: [UInt8]
}

/// What the door sends back.
struct DoorResponse: Sendable, Equatable {
    /// The HTTP status.
    var status: Int
    /// The body's media type.
    var contentType = "application/json"
    /// Further headers.
    var headers: [(name: String, value: String)] = []
    /// The body.
    var body: [UInt8]

    static func == (left: DoorResponse, right: DoorResponse) -> Bool {
        left.status == right.status && left.contentType == right.contentType && left.body == right.body
            && left.headers.elementsEqual(right.headers) { $0 == $1 }
    }
}

/// Called once per request, from any thread; the response is made where the connection lives.
typealias DoorReply = @Sendable (@escaping @Sendable () -> DoorResponse) -> Void

/// The door's bounds: whoever exceeds one is told so, or turned away.
struct DoorLimits: Sendable {
    /// The largest body, in bytes.
    var bodyByteCountMax = 64 * 1024
    /// The most bytes of header names and values.
    var headerByteCountMax = 16 * 1024
    /// The longest request target, in bytes.
    var targetByteCountMax = 2048
    /// Seconds from a request's first byte to its last.
    var requestSeconds: Int64 = 10
    /// Seconds that a connection may stay idle between requests.
    var idleSeconds: Int64 = 75
    /// The most connections at once.
    var connectionCountMax = 8192
}
