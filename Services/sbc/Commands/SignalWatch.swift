internal import Glibc
internal import Threading

/// Turns signals into calls on a thread of its own, where anything may be done.
enum SignalWatch {
    /// They ask the backup to end. SIGHUP comes where a terminal or an ssh went away.
    private static let ends = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    /// They would end the process without its hooks and without a word: other programs show their progress for them, and
    /// a file that may not grow (SIGXFSZ) is an error of the write. Blocked for ever, they do nothing.
    private static let ignored = [SIGUSR1, SIGUSR2, SIGALRM, SIGXFSZ]

    /// Blocks the signals for the calling thread and all that it starts; call it in main, before any other. What
    /// whoever started us has SIGHUP and SIGQUIT ignored for (nohup, a shell's `&`) stays ignored.
    ///
    /// - Parameter heard: called with each signal and its number, from 1. A SIGHUP after another signal is none of its
    ///   own: a terminal that goes away may send several, systemd one behind SIGTERM.
    static func start(heard: @escaping @Sendable (_ signal: Int32, _ count: Int) -> Void) {
        var blocked = sigset_t()
        var signals = sigset_t()
        unsafe sigemptyset(&blocked)
        unsafe sigemptyset(&signals)
        for number in ignored { unsafe sigaddset(&blocked, number) }
        for number in ends where ![SIGHUP, SIGQUIT].contains(number) || !isIgnored(number) {
            unsafe sigaddset(&blocked, number)
            unsafe sigaddset(&signals, number)
        }
        unsafe pthread_sigmask(SIG_BLOCK, &blocked, nil)
        let watched = signals
        _ = DedicatedThread(name: "signals") {
            var signals = watched
            var count = 0
            while true {
                var number: Int32 = 0
                guard unsafe sigwait(&signals, &number) == 0 else { continue }
                if number == SIGHUP, count > 0 { continue }
                count += 1
                heard(number, count)
            }
        }
    }

    /// A reader that went away (`… --json | head`) must not end the backup: writing to it fails instead.
    static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }

    /// Whether its action is SIG_IGN, which is 1; Swift cannot compare functions.
    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
