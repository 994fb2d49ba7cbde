internal import Glibc
internal import Synchronization

/// What signals do to a backup: the first stops the copy, or ends the delivery of reports where the copy has ended
/// already; a further one ends that delivery, or else the program at once.
final class RunStop: Sendable {
    private enum Stage {
        case copying, delivering, cut
    }

    private let cancellation: Cancellation
    private let hooks: HookRunner
    private let stage = Mutex(Stage.copying)
    private let cutDelivery = Mutex<(@Sendable () -> Void)?>(nil)

    init(cancellation: Cancellation, hooks: HookRunner) {
        self.cancellation = cancellation
        self.hooks = hooks
    }

    /// The copy has ended, and its reports are delivered.
    ///
    /// - Parameter cut: ends the delivery; called on the signals' thread.
    func delivers(cut: @escaping @Sendable () -> Void) {
        cutDelivery.withLock { $0 = cut }
        stage.withLock { $0 = .delivering }
    }

    /// A signal came, the one of this count from 1.
    func heard(_ signal: Int32, count: Int) {
        let (cuts, ends) = stage.withLock { stage in
            defer { if stage == .delivering { stage = .cut } }
            return (stage == .delivering, stage == .cut || (stage == .copying && count > 1))
        }
        if cuts {
            cutDelivery.withLock { $0 }?()
        } else if ends {
            hooks.releaseAtOnce()
            _exit(ExitStatus.signal(signal))
        } else {
            cancellation.cancel(.signal(signal))
        }
    }
}
