private import CZeroMQ
internal import Glibc

/// A ZeroMQ call failed.
public struct BusError: Error, Equatable, CustomStringConvertible {
    /// The error number of the call, ZeroMQ's own ones included.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// errno.
        public let rawValue: Int32

        /// Takes any number.
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// The address is in use by another process.
        public static let addressInUse = Code(rawValue: EADDRINUSE)
        /// Nothing can be sent or received now.
        public static let again = Code(rawValue: EAGAIN)
        /// The peer that the message is for is gone.
        public static let unreachable = Code(rawValue: EHOSTUNREACH)
        /// A signal came in between.
        public static let interrupted = Code(rawValue: EINTR)
    }

    /// The error number.
    public let code: Code
    /// The call that failed.
    public let operation: StaticString
    /// The endpoint that it was about; "" if none.
    public let endpoint: String

    init(_ operation: StaticString, endpoint: String = "") {
        code = Code(rawValue: zmq_errno())
        self.operation = operation
        self.endpoint = endpoint
    }

    /// The error in words.
    public var description: String {
        let text = unsafe String(cString: zmq_strerror(code.rawValue))
        let place = endpoint.isEmpty ? "" : " \(endpoint)"
        return "\(operation)\(place): \(text) (errno \(code.rawValue))"
    }

    /// Errors are the same when number and call are.
    public static func == (left: BusError, right: BusError) -> Bool {
        left.code == right.code && left.operation.description == right.operation.description
            && left.endpoint == right.endpoint
    }
}
