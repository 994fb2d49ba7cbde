import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceKit
import ServiceLifecycle
import Synchronization

/// Listens and hands each connection to a handler of its own. Knows HTTP, not telemetry.
struct DoorServer: Service {
    private let address: (host: String, port: Int)
    private let limits: DoorLimits
    private let health: Health
    private let logger: Logger
    private let turnedAway: @Sendable () -> Void
    private let turnEnds: @Sendable () -> Void
    private let serve: FastLane.Serve

    /// - Parameters:
    ///   - address: where to listen.
    ///   - limits: the door's bounds.
    ///   - health: the ingest's health.
    ///   - logger: the ingest's logger.
    ///   - turnedAway: called for each client that there is no room for.
    ///   - turnEnds: called when the requests that had come together have been served.
    ///   - serve: serves one request; what it hands on may wait for `turnEnds`.
    init(
        address: (host: String, port: Int),
        limits: DoorLimits,
        health: Health,
        logger: Logger,
        turnedAway: @escaping @Sendable () -> Void,
        turnEnds: @escaping @Sendable () -> Void,
        serve: @escaping FastLane.Serve
    ) {
        self.address = address
        self.limits = limits
        self.health = health
        self.logger = logger
        self.turnedAway = turnedAway
        self.turnEnds = turnEnds
        self.serve = serve
    }

    func run() async throws {
        // The process's own event loops: replies that come after the door has closed still find their loop.
        let group = MultiThreadedEventLoopGroup.singleton
        let open = OpenConnections(countMax: limits.connectionCountMax, turnedAway: turnedAway)
        let (limits, serve, turnEnds) = (limits, serve, turnEnds)
        let loops = Dictionary(
            uniqueKeysWithValues: group.makeIterator().map { eventLoop in
                (ObjectIdentifier(eventLoop), DoorLoop(eventLoop, turnEnds: turnEnds))
            }
        )
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                guard open.enter(channel) else {
                    return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
                }
                let eventLoop = channel.eventLoop
                let loop = loops[ObjectIdentifier(eventLoop)] ?? DoorLoop(eventLoop, turnEnds: turnEnds)
                return eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addDoor(limits: limits, loop: loop, serve: serve)
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(host: address.host, port: address.port).get()
        } catch {
            throw SettingsError(
                "--ingest-listen (SENDENSE_INGEST_LISTEN) \(address.host):\(address.port): cannot listen there: \(error)"
            )
        }
        announce(channel)
        health.ready("door")
        try await withGracefulShutdownHandler {
            try await channel.closeFuture.get()
        } onGracefulShutdown: {
            health.obstructed("door", by: "shutting down")
            channel.close(promise: nil)
        }
        await open.drain()
    }

    private func announce(_ channel: any Channel) {
        // Operators look for these very lines after a deployment.
        logger.info(
            "✅ Telemetry API endpoints enabled (Real-time SBC progress tracking)",
            metadata: [
                "address": "\(channel.localAddress.map { "\($0)" } ?? "\(address.host):\(address.port)")"
            ]
        )
        logger.info("✅ Telemetry API routes registered: POST /api/v1/telemetry/{job_type}/{job_id}")
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Adds what serves one connection.
    func addDoor(limits: DoorLimits, loop: DoorLoop, serve: @escaping FastLane.Serve) throws {
        try addHandler(FastLane(limits: limits, loop: loop, serve: serve))
    }

    /// Adds what serves a connection whose requests are not plain: all of HTTP/1.1.
    func addHTTP(limits: DoorLimits, lane: FastLane, serve: @escaping FastLane.Serve) throws {
        // The handler answers bytes that are no HTTP itself: as a problem document, and once.
        try configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: false)
        try addHandler(DoorHandler(limits: limits, lane: lane, serve: serve))
    }
}

/// Counts the connections, and closes those that are left at shutdown.
private final class OpenConnections: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])
    private let countMax: Int
    private let gauge = Gauge(label: "sendense_ingest_connections")
    private let refused = Counter(label: "sendense_ingest_connections_refused_total")
    private let turnedAway: @Sendable () -> Void

    init(countMax: Int, turnedAway: @escaping @Sendable () -> Void) {
        self.countMax = countMax
        self.turnedAway = turnedAway
    }

    func enter(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let count: Int? = channels.withLock { channels in
            guard channels.count < countMax else { return nil }
            channels[id] = channel
            return channels.count
        }
        guard let count else {
            refused.increment()
            turnedAway()
            return false
        }
        gauge.record(count)
        channel.closeFuture.whenComplete { [self] _ in
            let count = channels.withLock { channels in
                channels[id] = nil
                return channels.count
            }
            gauge.record(count)
        }
        return true
    }

    /// Closes idle connections now, the others once their request is answered, all of them after five seconds:
    /// a verdict takes two at the most.
    func drain() async {
        for channel in channels.withLock({ Array($0.values) }) {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        for _ in 0..<50 where channels.withLock({ !$0.isEmpty }) {
            try? await Task.sleep(for: .milliseconds(100))
        }
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}
