import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import Ingest

/// Reads a connection's bytes beside the door, by NIO's decoder alone: what the door hands on has to be what this sees.
final class RequestReader {
    private let channel = EmbeddedChannel()
    private let desk: FakeDesk
    private let limits: DoorLimits

    init(desk: FakeDesk, limits: DoorLimits) throws {
        self.desk = desk
        self.limits = limits
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
    }

    func read(_ bytes: [UInt8]) throws {
        // Bytes that are no HTTP end it; what was read before counts.
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) { see(part) }
    }

    func end() { _ = try? channel.finish(acceptAlreadyClosed: true) }

    private func see(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head):
            var request = SeenRequest(method: head.method.rawValue, target: head.uri)
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
                request.body += buffer.readableBytesView
                if request.excess == nil, request.body.count > limits.bodyByteCountMax {
                    request.excess = 413
                }
            }
        case .end:
            desk.change { $0.isWhole = true }
        }
    }
}
