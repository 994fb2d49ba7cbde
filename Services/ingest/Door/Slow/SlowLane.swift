import NIOCore
import Threading

/// Watches one connection that NIO's HTTP handlers serve: whether its client is slow or idle, and whether the door shuts
/// down. What the door's thread had read of it comes first.
final class SlowLane: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var pace: Pace
    /// The door shuts down: the answer that is due is the connection's last.
    private(set) var isLast: Bool
    private var bytes: [UInt8]
    private let loop: SlowLoop

    /// - Parameters:
    ///   - limits: the door's bounds.
    ///   - loop: what the connections of the event loop share.
    ///   - bytes: what was read of the connection and is not served.
    ///   - isLast: the door shuts down.
    init(limits: DoorLimits, loop: SlowLoop, bytes: [UInt8], isLast: Bool) {
        pace = Pace(limits: limits, nowMilliseconds: MonotonicClock.nowMilliseconds)
        self.loop = loop
        self.bytes = bytes
        self.isLast = isLast
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.watch(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        loop.forget(self)
    }

    /// Closes the connection of a client that has had its time.
    func look(nowMilliseconds: Int64) {
        if pace.isOver(nowMilliseconds: nowMilliseconds) { context?.close(promise: nil) }
    }

    /// A request is whole and about to be handed on.
    func requestIsWhole() { pace.requestIsWhole() }

    /// A request was handed on.
    func requestIsServed() { loop.turnEnds() }

    /// A request is answered.
    func requestIsAnswered() { pace.requestIsAnswered(nowMilliseconds: MonotonicClock.nowMilliseconds) }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        pace.bytesCame(nowMilliseconds: MonotonicClock.nowMilliseconds)
        context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: bytes)))
        context.fireChannelReadComplete()
        bytes = []
        if isLast { context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        pace.bytesCame(nowMilliseconds: MonotonicClock.nowMilliseconds)
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { isLast = true }
        context.fireUserInboundEventTriggered(event)
    }
}
