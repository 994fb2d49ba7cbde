/// A request as the door hands it on: framed, whole and within the limits.
///
/// Its bytes lie where they were read: whoever keeps one of these longer than it takes to serve it has them copied.
struct DoorRequest: Sendable {
    /// GET, POST, ….
    var method: String
    /// The path without the query, still percent-encoded.
    var pathBytes: ArraySlice<UInt8>
    /// The body, whole.
    var body: ArraySlice<UInt8>

    /// The path as a text, made anew each time.
    var path: String { String(decoding: pathBytes, as: UTF8.self) }
}

extension DoorRequest {
    /// A request with bytes of its own.
    init(method: String, path: String, body: [UInt8]) {
        self.init(method: method, pathBytes: Array(path.utf8)[...], body: body[...])
    }
}

/// What the door sends back.
struct DoorResponse: Sendable, Equatable {
    /// The HTTP status.
    var status: Int
    /// The body's media type.
    var contentType = "application/json"
    /// Further headers.
    var headers: [Header] = []
    /// The body.
    var body: [UInt8]

    /// One header.
    struct Header: Sendable, Equatable {
        var name: String
        var value: String
    }
}

/// Where the response to one request goes. Called once, from any thread; the response is made where the connection lives.
struct DoorReply: Sendable {
    /// Makes the response. It may take the bytes that it gets for the body's memory, whatever is in them.
    typealias Making = @Sendable (consuming [UInt8]) -> DoorResponse

    private enum Way {
        /// Into the door's box. Nearly all go there, and need nothing made for it.
        case box(DoorBox, DoorBox.LaneID)
        case any(@Sendable (@escaping Making) -> Void)
    }

    private let way: Way

    init(_ box: DoorBox, _ lane: DoorBox.LaneID) { way = .box(box, lane) }

    init(_ reply: @escaping @Sendable (@escaping Making) -> Void) { way = .any(reply) }

    func callAsFunction(_ response: @escaping Making) {
        switch way {
        case .box(let box, let lane): box.deliver(DoorBox.Delivery(lane: lane, response: response))
        case .any(let reply): reply(response)
        }
    }
}

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
