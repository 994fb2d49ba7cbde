internal import CNBD

/// What libnbd refused, or a server.
public struct NBDError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The call of libnbd.
    public var operation: String
    /// The errno; 0 where libnbd has none for this.
    public var code: Int32
    /// libnbd's own words.
    public var message: String

    /// An error of our own making.
    public init(operation: String, code: Int32, message: String) {
        self.operation = operation
        self.code = code
        self.message = message
    }

    /// The error of the call that failed last. libnbd keeps it for each thread until the next call, so this
    /// is to be asked at once.
    init(last operation: String) {
        let text = unsafe nbd_get_error().map { unsafe String(cString: $0) }
        self.init(operation: operation, code: nbd_get_errno(), message: text ?? "no further word of libnbd")
    }

    /// libnbd's words, which name the call too.
    public var description: String { message }
}
