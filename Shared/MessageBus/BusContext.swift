private import CZeroMQ

/// ZeroMQ's context: its I/O thread and what its sockets share. One per process.
///
/// Safe, and sendable: a ZeroMQ context may be used from any thread (zmq_ctx_new(3)); the pointer is set once. Sockets
/// hold a reference to it, so it is terminated only after the last of them has been closed.
@safe public final class BusContext: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer

    /// Creates a context with one I/O thread.
    ///
    /// - Precondition: the process has memory and descriptors for it; it traps where it has not.
    public init() {
        guard let raw = unsafe zmq_ctx_new() else {
            preconditionFailure("zmq_ctx_new failed with errno \(zmq_errno())")
        }
        unsafe self.raw = unsafe raw
        // Without this, terminating would wait for messages that nobody will ever take.
        unsafe zmq_ctx_set(raw, ZMQ_BLOCKY, 0)
    }

    deinit { unsafe zmq_ctx_term(raw) }
}
