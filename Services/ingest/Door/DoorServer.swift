import Logging
import Metrics
import ServiceKit
import ServiceLifecycle
import Synchronization
import Threading

/// Listens and serves connections. Knows HTTP, not telemetry.
///
/// One thread serves the connections whose requests are plain (`DoorLoop`), NIO the others (`SlowDoor`).
struct DoorServer: Service {
    typealias Serve = @Sendable (DoorRequest, DoorReply) -> Void

    /// Milliseconds that connections have for their last answers: a verdict takes 2,000 at the most.
    static let quiesceMilliseconds: Int64 = 5000

    private let address: (host: String, port: Int)
    private let limits: DoorLimits
    private let health: Health
    private let logger: Logger
    private let turnedAway: @Sendable () -> Void
    private let turnEnds: @Sendable () -> Void
    private let serve: Serve

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
        serve: @escaping Serve
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
        let listener: Listener
        do {
            listener = try Listener(host: address.host, port: address.port)
        } catch {
            throw SettingsError(
                "--ingest-listen (SENDENSE_INGEST_LISTEN) \(address.host):\(address.port): cannot listen there: \(error)"
            )
        }
        let places = DoorPlaces(countMax: limits.connectionCountMax, turnedAway: turnedAway)
        let slow = SlowDoor(limits: limits, turnEnds: turnEnds, leave: { places.leave() }, serve: serve)
        let box = DoorBox()
        let (limits, serve, turnEnds) = (limits, serve, turnEnds)
        let thread = DedicatedThread(name: "door") {
            let ways = DoorLoop.Ways(
                enter: { places.enter() },
                leave: { places.leave() },
                serve: serve,
                turnEnds: turnEnds,
                pass: { slow.take($0) }
            )
            var loop = DoorLoop(listener: listener, box: box, limits: limits, ways: ways)
            loop.run()
        }
        announce(port: listener.port)
        health.ready("door")
        let end = Atomic<Int64>(0)
        await withGracefulShutdownHandler {
            await thread.ended()
        } onGracefulShutdown: {
            health.obstructed("door", by: "shutting down")
            end.store(MonotonicClock.nowMilliseconds + Self.quiesceMilliseconds, ordering: .relaxed)
            slow.quiesce()
            box.stop()
        }
        // What the thread handed over meanwhile knows that it is the last.
        await slow.drain(untilMilliseconds: end.load(ordering: .relaxed))
    }

    private func announce(port: Int) {
        // Operators look for these very lines after a deployment.
        logger.info(
            "✅ Telemetry API endpoints enabled (Real-time SBC progress tracking)",
            metadata: ["address": "\(address.host):\(port)"]
        )
        logger.info("✅ Telemetry API routes registered: POST /api/v1/telemetry/{job_type}/{job_id}")
    }
}

/// Counts the connections.
private final class DoorPlaces: Sendable {
    private let count = Atomic<Int>(0)
    private let countMax: Int
    private let gauge = Gauge(label: "sendense_ingest_connections")
    private let refused = Counter(label: "sendense_ingest_connections_refused_total")
    private let turnedAway: @Sendable () -> Void

    init(countMax: Int, turnedAway: @escaping @Sendable () -> Void) {
        self.countMax = countMax
        self.turnedAway = turnedAway
    }

    func enter() -> Bool {
        let count = count.add(1, ordering: .relaxed).newValue
        guard count <= countMax else {
            self.count.subtract(1, ordering: .relaxed)
            refused.increment()
            turnedAway()
            return false
        }
        gauge.record(count)
        return true
    }

    func leave() { gauge.record(count.subtract(1, ordering: .relaxed).newValue) }
}
