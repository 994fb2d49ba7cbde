import NIOCore

/// Between the socket and the door: a client that reads only when it likes.
final class SlowNetwork: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var isHeld = false
    private var context: ChannelHandlerContext?
    private var held: [(NIOAny, EventLoopPromise<Void>?)] = []

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
        held = []
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isHeld { held.append((data, promise)) } else { context.write(data, promise: promise) }
    }

    func letGo() {
        let writes = held
        held = []
        for (data, promise) in writes { context?.write(data, promise: promise) }
        context?.flush()
    }
}
