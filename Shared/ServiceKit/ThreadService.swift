public import ServiceLifecycle
internal import Threading

/// A service whose work runs on a thread of its own.
public struct ThreadService: Service {
    private let name: String
    private let stop: @Sendable () -> Void
    private let body: @Sendable () -> Void

    /// Declares the service; its thread starts once it runs.
    ///
    /// - Parameters:
    ///   - name: the thread's name; 15 bytes show.
    ///   - stop: asks the thread to end; called from any thread, once.
    ///   - body: the work; returns after `stop`.
    public init(name: String, stop: @escaping @Sendable () -> Void, _ body: @escaping @Sendable () -> Void) {
        self.name = name
        self.stop = stop
        self.body = body
    }

    /// Runs the thread until it ends.
    public func run() async throws {
        let thread = DedicatedThread(name: name, body)
        await withGracefulShutdownHandler {
            await thread.ended()
        } onGracefulShutdown: {
            stop()
        }
    }
}
