import NIOCore
import Threading

/// What the slow lanes of one event loop share: one timer looks for those whose clients are slow or idle.
final class SlowLoop: Sendable {
    private let eventLoop: any EventLoop
    /// Called after each request that was handed on.
    let turnEnds: @Sendable () -> Void
    private let watched: NIOLoopBoundBox<[ObjectIdentifier: SlowLane]?>
    /// The timer runs: connections that come and go one by one must not set off one each.
    private let isLookDue: NIOLoopBoundBox<Bool>

    /// - Parameters:
    ///   - eventLoop: the loop of the connections.
    ///   - turnEnds: called on the loop, after a request was handed on.
    init(_ eventLoop: any EventLoop, turnEnds: @escaping @Sendable () -> Void) {
        self.eventLoop = eventLoop
        self.turnEnds = turnEnds
        watched = .makeEmptyBox(eventLoop: eventLoop)
        isLookDue = .makeBoxSendingValue(false, eventLoop: eventLoop)
    }

    /// A connection opens, on the loop.
    func watch(_ lane: SlowLane) {
        if !isLookDue.value { lookLater() }
        watched.value = watched.value ?? [:]
        watched.value?[ObjectIdentifier(lane)] = lane
    }

    /// A connection has ended, on the loop.
    func forget(_ lane: SlowLane) { watched.value?[ObjectIdentifier(lane)] = nil }

    /// Looks at all connections once a second, as long as there are any.
    private func lookLater() {
        isLookDue.value = true
        eventLoop.scheduleTask(in: .seconds(1)) { [self] in
            isLookDue.value = false
            let now = MonotonicClock.nowMilliseconds
            // Closing one changes what is watched.
            for lane in (watched.value ?? [:]).values { lane.look(nowMilliseconds: now) }
            if watched.value?.isEmpty == false { lookLater() }
        }
    }
}
