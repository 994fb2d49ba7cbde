import NIOCore

/// One connection's requests, one after the other, as long as they are plain: read from the bytes as they came, answered
/// with bytes.
///
/// At the first byte that does not belong to a plain request the connection gets NIO's HTTP handlers behind this one,
/// which is out of the way from then on. So what is odd, wrong or beyond a limit is read and refused there, and only
/// there.
final class FastLane: ChannelInboundHandler, ChannelOutboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias Serve = @Sendable (DoorRequest, @escaping DoorReply) -> Void

    private enum State {
        /// Waits for a request, or for the rest of one.
        case listening
        case answering
        /// The last answer is written; what still comes is thrown away.
        case closing
        /// NIO's HTTP handlers have the connection.
        case passing
    }

    private var state = State.listening
    private var context: ChannelHandlerContext?
    private var pace: Pace
    /// The door shuts down: the answer that is due is the connection's last.
    private(set) var isLast = false
    /// What has come and is not read yet.
    private var unread = ByteBuffer()
    /// There is nothing to see in it before so many bytes are there.
    private var unreadCountMin = 1
    /// Requests are read already; an answer that comes meanwhile does not begin it again.
    private var isReading = false
    /// A read is put off until the client's next request can be looked at.
    private var isReadDue = false
    private let limits: DoorLimits
    private let loop: DoorLoop
    private let serve: Serve

    init(limits: DoorLimits, loop: DoorLoop, serve: @escaping Serve) {
        self.limits = limits
        pace = Pace(limits: limits)
        self.loop = loop
        self.serve = serve
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

    /// A request that NIO's handlers have read is whole.
    func requestIsWhole() {
        pace.requestIsWhole()
        loop.requestComes()
    }

    /// A request that NIO's handlers have read is answered.
    func requestIsAnswered() { pace.requestIsAnswered() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        pace.bytesCame()
        switch state {
        case .closing:
            return
        case .passing:
            context.fireChannelRead(data)
        case .listening, .answering:
            var buffer = unwrapInboundIn(data)
            if unread.readableBytes == 0 {
                unread = buffer
            } else {
                // Else a client whose last request is always cut would make it grow and grow.
                unread.discardReadBytes()
                unread.writeBuffer(&buffer)
            }
            readOn(context)
        }
    }

    /// Hands on one request after the other, as long as each is answered at once.
    private func readOn(_ context: ChannelHandlerContext) {
        guard !isReading else { return }
        isReading = true
        defer { isReading = false }
        while case .listening = state, unread.readableBytes >= unreadCountMin {
            switch PlainRequest.read(unread.readableBytesUInt8Span, limits) {
            case .whole(let request):
                take(request, context)
            case .cut(let byteCountMin):
                unreadCountMin = byteCountMin
                pace.bytesCame()
            case .other:
                return pass(context)
            }
        }
        if unread.readableBytes == 0 { unread = ByteBuffer() }
        if case .listening = state, isReadDue {
            isReadDue = false
            context.read()
        }
    }

    private func take(_ request: PlainRequest, _ context: ChannelHandlerContext) {
        let start = unread.readerIndex
        let path = unread.getString(at: start + request.path.lowerBound, length: request.path.count) ?? ""
        let body = unread.getBytes(at: start + request.body.lowerBound, length: request.body.count) ?? []
        unread.moveReaderIndex(forwardBy: request.byteCount)
        unreadCountMin = 1
        state = .answering
        requestIsWhole()
        // The reply may come from any thread; the connection lives on its event loop.
        let lane = NIOLoopBound(self, eventLoop: context.eventLoop)
        serve(DoorRequest(method: request.method, path: path, body: body)) { [loop] response in
            if lane.eventLoop.inEventLoop {
                lane.value.answer(response())
            } else {
                loop.deliver(response, to: lane)
            }
        }
    }

    /// Writes the answer to the request that waits for one, and goes on to the next.
    func answer(_ response: DoorResponse) {
        guard case .answering = state, let context else { return }
        state = isLast ? .closing : .listening
        pace.requestIsAnswered()
        let buffer = loop.bytes(of: response, keepsAlive: !isLast)
        guard !isLast else {
            let written = context.eventLoop.makePromise(of: Void.self)
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            written.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
            return context.writeAndFlush(wrapOutboundOut(buffer), promise: written)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        readOn(context)
    }

    /// Gives the connection to NIO's HTTP handlers, with all that was not read.
    private func pass(_ context: ChannelHandlerContext) {
        state = .passing
        do {
            try context.pipeline.syncOperations.addHTTP(limits: limits, lane: self, serve: serve)
        } catch {
            // Only where the connection ends.
            return context.close(promise: nil)
        }
        let bytes = unread
        unread = ByteBuffer()
        context.fireChannelRead(wrapInboundOut(bytes))
        if isLast { context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        if isReadDue {
            isReadDue = false
            context.read()
        }
    }

    /// A client that sends on and on while its request waits is not read any further.
    func read(context: ChannelHandlerContext) {
        if case .answering = state, unread.readableBytes > 0 {
            isReadDue = true
        } else {
            context.read()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        isLast = true
        switch state {
        case .passing:
            context.fireUserInboundEventTriggered(event)
        case .listening where unread.readableBytes == 0:
            state = .closing
            context.close(promise: nil)
        case .listening, .answering, .closing:
            // The answer that is due, or to a request that has begun, is the last.
            break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .passing = state {} else { state = .closing }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .passing = state { return context.fireErrorCaught(error) }
        // A client that vanished.
        context.close(promise: nil)
    }
}
