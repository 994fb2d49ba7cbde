import NIOCore
import NIOHTTP1
import TelemetryContract

/// One connection's requests, one after the other, as NIO's HTTP handlers read them: collects a request, hands it on,
/// writes the answer.
final class DoorHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case idle
        case receiving(HTTPRequestHead, [UInt8])
        case answering(AnswerForm)
        /// The last answer is written or on its way; what still comes is thrown away.
        case closing
    }

    /// What a request demands of the form of its answer.
    private struct AnswerForm {
        /// The connection stays open after it.
        var keepsAlive: Bool
        /// It has a body, not only the length of one.
        var hasBody: Bool

        init(keepsAlive: Bool, hasBody: Bool) {
            self.keepsAlive = keepsAlive
            self.hasBody = hasBody
        }

        init(_ head: HTTPRequestHead) {
            // Behind a request to change protocols the decoder reads no further.
            let changesProtocol = head.method == .CONNECT || head.headers.contains(name: "upgrade")
            keepsAlive = head.isKeepAlive && !changesProtocol
            hasBody = head.method != .HEAD
        }
    }

    private var state = State.idle
    /// An answer is being written, within which the next request may come and be answered.
    private var isWriting = false
    private let limits: DoorLimits
    private let lane: SlowLane
    private let serve: DoorServer.Serve

    init(limits: DoorLimits, lane: SlowLane, serve: @escaping DoorServer.Serve) {
        self.limits = limits
        self.lane = lane
        self.serve = serve
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .closing = state { return }
        switch unwrapInboundIn(data) {
        case .head(let head): received(head, context)
        case .body(let buffer): received(buffer, context)
        case .end: receivedEnd(context)
        }
    }

    private func received(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        state = .receiving(head, [])
        let headerByteCount = head.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        if headerByteCount > limits.headerByteCountMax {
            return refuse(
                431,
                "Request Header Fields Too Large",
                "the headers have more than \(limits.headerByteCountMax) bytes",
                context
            )
        }
        if head.uri.utf8.count > limits.targetByteCountMax {
            return refuse(
                414,
                "URI Too Long",
                "the path has more than \(limits.targetByteCountMax) bytes",
                context
            )
        }
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }),
            length > limits.bodyByteCountMax
        {
            return refuseBody(context)
        }
        // A client of HTTP/1.0 knows no interim response.
        if head.version != .http1_0, head.headers.first(name: "expect")?.lowercased() == "100-continue" {
            let interim = HTTPResponseHead(version: head.version, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
        }
    }

    private func received(_ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        guard case .receiving(let head, var body) = state else { return }
        guard body.count + buffer.readableBytes <= limits.bodyByteCountMax else { return refuseBody(context) }
        state = .idle
        body.append(contentsOf: buffer.readableBytesView)
        state = .receiving(head, body)
    }

    private func receivedEnd(_ context: ChannelHandlerContext) {
        guard case .receiving(let head, let body) = state else { return }
        state = .answering(AnswerForm(head))
        lane.requestIsWhole()
        let path = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)[0]
        let request = DoorRequest(method: head.method.rawValue, path: String(path), body: body)
        // The reply may come from any thread; the connection lives on its event loop.
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let reply = DoorReply { response in
            // Requests that came at once are handed on within the writing of the answer before: were they also answered
            // within it, each would take its share of the stack.
            if eventLoop.inEventLoop, !bound.value.0.isWriting {
                bound.value.0.answer(response([]), bound.value.1)
            } else {
                eventLoop.execute { bound.value.0.answer(response([]), bound.value.1) }
            }
        }
        serve(request, reply)
        lane.requestIsServed()
    }

    private func answer(_ response: DoorResponse, _ context: ChannelHandlerContext) {
        guard case .answering(var form) = state else { return }
        if lane.isLast { form.keepsAlive = false }
        state = form.keepsAlive ? .idle : .closing
        lane.requestIsAnswered()
        write(response, form, context)
    }

    private func refuseBody(_ context: ChannelHandlerContext) {
        refuse(413, "Content Too Large", "the body has more than \(limits.bodyByteCountMax) bytes", context)
    }

    private func refuse(_ status: Int, _ title: String, _ detail: String, _ context: ChannelHandlerContext) {
        var form = AnswerForm(keepsAlive: false, hasBody: true)
        if case .receiving(let head, _) = state { form.hasBody = AnswerForm(head).hasBody }
        state = .closing
        let document = ProblemDocument(status: status, title: title, detail: detail)
        let response = DoorResponse(
            status: status,
            contentType: ProblemDocument.mediaType,
            body: document.json()
        )
        write(response, form, context)
    }

    private func write(_ response: DoorResponse, _ form: AnswerForm, _ context: ChannelHandlerContext) {
        isWriting = true
        defer { isWriting = false }
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: response.contentType)
        headers.add(name: "content-length", value: "\(response.body.count)")
        for header in response.headers { headers.add(name: header.name, value: header.value) }
        if !form.keepsAlive { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: response.status),
            headers: headers
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if form.hasBody {
            var buffer = context.channel.allocator.buffer(capacity: response.body.count)
            buffer.writeBytes(response.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        if !form.keepsAlive {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            written.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .closing = state { return }
        // More bytes behind some that were no HTTP, whose own error has come or waits for the answer that is due.
        if error is ByteToMessageDecoderError { return }
        guard let error = error as? HTTPParserError, context.channel.isActive else {
            // A client that vanished.
            return context.close(promise: nil)
        }
        if case .headerOverflow = error {
            return refuse(431, "Request Header Fields Too Large", "the headers are too large", context)
        }
        refuse(400, "Bad Request", "the bytes are no HTTP/1.1 request: \(error)", context)
    }
}
