import NIOCore
import Threading

/// Turns away clients that are slow or idle. One timer per connection, whatever the number of requests.
final class Pace {
    private enum State {
        case idle(until: Int64)
        case receiving(until: Int64)
        case answering
    }

    private let limits: DoorLimits
    private var state = State.idle(until: .max)
    /// The door shuts down: the answer that is due is the connection's last.
    private(set) var isLast = false

    init(limits: DoorLimits) {
        self.limits = limits
    }

    /// The connection is open: watches it to its end.
    func begin(_ context: ChannelHandlerContext) {
        beIdle()
        watch(context)
    }

    /// Bytes have come: the first ones of a request, if none has begun.
    func bytesCame() {
        guard case .idle = state else { return }
        state = .receiving(until: MonotonicClock.nowMilliseconds + limits.requestSeconds * 1000)
    }

    /// The request's last byte is in: from here on the time is ours.
    func requestIsWhole() { state = .answering }

    /// The answer is written.
    func requestIsAnswered() { beIdle() }

    /// The door shuts down.
    func quiesce() { isLast = true }

    private func beIdle() {
        state = .idle(until: MonotonicClock.nowMilliseconds + limits.idleSeconds * 1000)
    }

    private func watch(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .seconds(1)) {
            let (pace, context) = bound.value
            guard context.channel.isActive else { return }
            switch pace.state {
            case .idle(let until), .receiving(let until):
                if MonotonicClock.nowMilliseconds >= until { return context.close(promise: nil) }
            case .answering:
                break
            }
            pace.watch(context)
        }
    }
}
