import Foundation
import Synchronization

/// A closure at work on a thread of its own, for tests that need two connections at once.
public final class ThreadRun<Value: Sendable>: Sendable {
    private let outcome = Mutex<Result<Value, any Error>?>(nil)
    private let ended = DispatchSemaphore(value: 0)

    /// Starts the thread.
    public init(_ body: @escaping @Sendable () throws -> Value) {
        Thread { [self] in
            let result = Result { try body() }
            outcome.withLock { $0 = result }
            ended.signal()
        }.start()
    }

    /// Whether the closure has returned or thrown.
    public var isOver: Bool { outcome.withLock { $0 != nil } }

    /// Waits for the end and returns what the closure returned, or throws what it threw.
    public func value() throws -> Value {
        ended.wait()
        ended.signal()
        guard let outcome = outcome.withLock({ $0 }) else { preconditionFailure("signalled without outcome") }
        return try outcome.get()
    }
}
