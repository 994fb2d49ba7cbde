/// A server's answer.
public struct HTTPResponse: Equatable, Sendable {
    /// The HTTP status, 100...599.
    public var status: Int
    /// The seconds that `Retry-After` asks to wait (a date is reckoned into seconds). nil if it is absent.
    public var retryAfterSeconds: Int?
    /// The body, cut to `HTTPClient.bodyByteCountMax`.
    public var body: [UInt8]

    /// Creates a response from its parts.
    public init(status: Int, retryAfterSeconds: Int? = nil, body: [UInt8] = []) {
        self.status = status
        self.retryAfterSeconds = retryAfterSeconds
        self.body = body
    }
}

/// A request that got no answer.
public struct CurlError: Error, Equatable, CustomStringConvertible {
    /// What libcurl was doing, by the name of its function or option.
    public var operation: String
    /// The CURLcode.
    public var code: Int32
    /// libcurl's own words: those of the request where it has some, else those of the code.
    public var message: String

    /// Creates an error from its parts.
    public init(operation: String, code: Int32, message: String) {
        self.operation = operation
        self.code = code
        self.message = message
    }

    /// The operation, the words and the number.
    public var description: String { "\(operation): \(message) (curl code \(code))" }
}
