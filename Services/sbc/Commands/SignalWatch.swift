internal import Glibc
internal import Threading

/// Turns SIGINT and SIGTERM into calls on a thread of its own, where anything may be done.
enum SignalWatch {
    /// Blocks both signals for the calling thread and all that it starts; call it in main, before any other.
    ///
    /// - Parameters:
    ///   - first: called with the first signal.
    ///   - second: called with the second one; it should not return.
    static func start(
        first: @escaping @Sendable (Int32) -> Void,
        second: @escaping @Sendable (Int32) -> Void
    ) {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGINT)
        unsafe sigaddset(&signals, SIGTERM)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        let watched = signals
        _ = DedicatedThread(name: "signals") {
            var signals = watched
            var count = 0
            while true {
                var number: Int32 = 0
                guard unsafe sigwait(&signals, &number) == 0 else { continue }
                count += 1
                if count == 1 { first(number) } else { second(number) }
            }
        }
    }

    /// A reader that went away (`… --json | head`) must not end the backup: writing to it fails instead.
    static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
