import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Knocks at the ingest's own door five times a second, each time by a connection of its own: what a client cannot
/// get through, a beat does not either.
struct Beater: Service {
    private static let pause = Duration.milliseconds(200)
    private static let patience = TimeAmount.seconds(2)

    /// The door's address.
    let address: (host: String, port: Int)
    /// The path that only this run of this ingest knows.
    let path: String
    let logger: Logger

    /// A path for one run: nobody else is to beat in the ingest's name.
    static func newPath() -> String {
        var generator = SystemRandomNumberGenerator()
        let parts = (0..<2).map { _ in
            String(UInt64.random(in: .min ... .max, using: &generator), radix: 16)
        }
        return "/beat/" + parts.joined()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await knock()
                } catch {
                    logger.debug("a beat did not get through the door", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: Self.pause)
            }
        }
    }

    /// One request, as plain as those of nearly all clients; returns when it is answered.
    private func knock() async throws {
        // Every address of this machine is reached by way of loopback.
        let host = ["0.0.0.0": "127.0.0.1", "::": "::1"][address.host] ?? address.host
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(Self.patience)
            .channelInitializer { $0.pipeline.addHandler(HangUp()) }
            .connect(host: host, port: address.port)
            .get()
        let deadline = channel.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        let request = "POST \(path) HTTP/1.1\r\nhost: beat\r\ncontent-length: 0\r\n\r\n"
        channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
        try await channel.closeFuture.get()
        deadline.cancel()
    }
}

/// Closes the connection with the answer's first bytes.
private final class HangUp: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.close(promise: nil)
    }
}
