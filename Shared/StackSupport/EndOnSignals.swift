internal import Glibc
internal import Threading

/// Ctrl-C and SIGTERM end the process in order, so that what it started and made goes with it. To be called before any
/// other thread is there.
package func endOnSignals() {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    for number in [SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&signals, number) }
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    let watched = signals
    _ = DedicatedThread(name: "signals") {
        var signals = watched
        var number: Int32 = 0
        while unsafe sigwait(&signals, &number) != 0 {}
        exit(128 + number)
    }
}
