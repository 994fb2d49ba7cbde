internal import Synchronization

/// A door that opens once and stays open; threads and tasks may wait for it.
public final class Latch: Sendable {
    private struct State {
        var isOpen = false
        var tasks: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())
    private let condition = Condition()

    /// Creates a closed latch.
    public init() {}

    /// Opens it and wakes whoever waits. Opening it again does nothing.
    public func open() {
        let tasks = state.withLock { state in
            state.isOpen = true
            defer { state.tasks = [] }
            return state.tasks
        }
        condition.broadcast()
        for task in tasks { task.resume() }
    }

    /// Whether it was opened.
    public var isOpen: Bool { state.withLock { $0.isOpen } }

    /// Blocks the calling thread until it is open. Never call it on the cooperative pool.
    public func wait() {
        condition.wait { isOpen }
    }

    /// Blocks the calling thread until it is open or the time is up. Never call it on the cooperative pool.
    ///
    /// - Returns: whether it is open.
    @discardableResult
    public func wait(milliseconds: Int) -> Bool {
        condition.wait(milliseconds: milliseconds) { isOpen }
    }

    /// Suspends until it is open.
    public func opened() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.tasks.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}
