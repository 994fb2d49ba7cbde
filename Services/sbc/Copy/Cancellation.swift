internal import Synchronization
internal import Threading

/// Why a copy was stopped.
enum StopReason: Equatable, Sendable {
    /// A disk failed.
    case failed(CopyError)
    /// The snapshot command failed; the reason is for people.
    case snapshotFailed(String)
    /// SIGINT (2) or SIGTERM (15).
    case signal(Int32)
    /// The hub said that the job is cancelled.
    case cancelledByHub
    /// The hub will not have this job; the reason is for people.
    case refusedByHub(String)
}

/// Stops a copy. The first reason stays; whoever sleeps on it wakes at once.
final class Cancellation: Sendable {
    private let stored = Mutex<StopReason?>(nil)
    private let isStopped = Atomic<Bool>(false)
    private let latch = Latch()

    /// The reason, once there is one.
    var reason: StopReason? { stored.withLock { $0 } }

    /// Whether there is a reason; cheap enough for every chunk.
    var isCancelled: Bool { isStopped.load(ordering: .acquiring) }

    /// Stops the copy.
    ///
    /// - Returns: whether this was the first reason.
    @discardableResult
    func cancel(_ reason: StopReason) -> Bool {
        let isFirst = stored.withLock { stored in
            guard stored == nil else { return false }
            stored = reason
            return true
        }
        isStopped.store(true, ordering: .releasing)
        latch.open()
        return isFirst
    }

    /// Sleeps, but not beyond the cancellation.
    ///
    /// - Returns: false if it was cancelled.
    func sleep(milliseconds: Int) -> Bool {
        !latch.wait(milliseconds: milliseconds)
    }
}
