import NIOCore
import Threading

/// Turns away clients that are slow or idle: in front of the HTTP decoder, where the first byte of a request
/// shows. One timer per connection, whatever the number of requests.
final class Pace: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private enum State {
        case idle(until: Int64)
        case receiving(until: Int64)
        case answering
    }

    private let limits: DoorLimits
    private let state: NIOLoopBoundBox<State>
    private let shutsDown: NIOLoopBoundBox<Bool>

    init(limits: DoorLimits, eventLoop: any EventLoop) {
        self.limits = limits
        state = NIOLoopBoundBox(.idle(until: 0), eventLoop: eventLoop)
        shutsDown = NIOLoopBoundBox(false, eventLoop: eventLoop)
    }

    func channelActive(context: ChannelHandlerContext) {
        beIdle()
        watch(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .idle = state.value {
            state.value = .receiving(until: MonotonicClock.nowMilliseconds + limits.requestSeconds * 1000)
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { shutsDown.value = true }
        context.fireUserInboundEventTriggered(event)
    }

    /// The door shuts down: the answer that is due is the connection's last. NIO's pipeline handler, which
    /// closes
    /// the connection after it, keeps the event from the handlers behind.
    var isLast: Bool { shutsDown.value }

    /// The request's last byte is in: from here on the time is ours.
    func requestIsWhole() { state.value = .answering }

    /// The answer is written.
    func requestIsAnswered() { beIdle() }

    private func beIdle() {
        state.value = .idle(until: MonotonicClock.nowMilliseconds + limits.idleSeconds * 1000)
    }

    private func watch(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .seconds(1)) { [self] in
            let context = bound.value
            guard context.channel.isActive else { return }
            switch state.value {
            case .idle(let until), .receiving(let until):
                if MonotonicClock.nowMilliseconds >= until { return context.close(promise: nil) }
            case .answering:
                break
            }
            watch(context)
        }
    }
}
