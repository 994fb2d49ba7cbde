import NIOCore
import NIOHTTP1

@testable import Ingest

/// Between the HTTP decoder and the door: notes what passes.
final class RequestTap: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private let desk: FakeDesk
    private let limits: DoorLimits

    init(desk: FakeDesk, limits: DoorLimits) {
        self.desk = desk
        self.limits = limits
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            var request = SeenRequest(method: head.method.rawValue)
            let headerByteCount = head.headers.map { $0.name.utf8.count + $0.value.utf8.count }.reduce(0, +)
            let announced = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
            if headerByteCount > limits.headerByteCountMax {
                request.excess = 431
            } else if head.uri.utf8.count > limits.targetByteCountMax {
                request.excess = 414
            } else if announced > limits.bodyByteCountMax {
                request.excess = 413
            }
            desk.see(request)
        case .body(let buffer):
            desk.change { request in
                request.bodyByteCount += buffer.readableBytes
                if request.excess == nil, request.bodyByteCount > limits.bodyByteCountMax {
                    request.excess = 413
                }
            }
        case .end:
            desk.change { $0.isWhole = true }
        }
        context.fireChannelRead(data)
    }
}
