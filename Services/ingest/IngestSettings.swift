import JobModel
import ServiceKit

/// What the ingest can be told.
struct IngestSettings: Sendable {
    /// Where the door listens.
    var listen: (host: String, port: Int)
    /// Where the admin endpoints listen.
    var admin: (host: String, port: Int)
    /// The writers' ZeroMQ endpoints, at least one.
    var writers: [String]
    /// Milliseconds after which a message without a verdict is answered 503.
    var ackTimeoutMilliseconds: Int64
    /// The most messages without a verdict; more are answered 503 at once.
    var windowCountMax: Int
    /// The most connections at the door; more are turned away.
    var connectionCountMax: Int
    /// Where messages of clients that do not repeat wait while nobody can store them. nil: nowhere.
    var outbox: OutboxSettings?
    /// The name under which its beats are kept; stable over restarts.
    var name: String
    /// The longest time between two beats that is no interruption, in milliseconds.
    var beatGapMilliseconds: Int64

    static let declared: [Setting] = [
        Setting("ingest.listen", default: "127.0.0.1:8082", help: "HOST:PORT of the telemetry API"),
        Setting("ingest.admin", default: "127.0.0.1:9082", help: "HOST:PORT of /livez, /readyz and /metrics"),
        Setting(
            "writers",
            default: "tcp://127.0.0.1:5590",
            help: "the writers' ZeroMQ endpoints, comma-separated"
        ),
        Setting("ack.timeout", default: "2000", help: "milliseconds to wait for a writer's verdict"),
        Setting(
            "ingest.window",
            default: "65536",
            help: "messages without a verdict before 503 is answered at once"
        ),
        Setting("ingest.connections", default: "8192", help: "connections at the door"),
        Setting(
            "outbox",
            default: "/var/lib/sendense-ingest/outbox.sqlite",
            help: "file for what old clients tell while nobody can store it; none: they are told 503"
        ),
        Setting("outbox.mebibytes", default: "256", help: "the most MiB that this file may have"),
        Setting("ingest.name", help: "name in the table of beats, the same after a restart [HOST/LISTEN]"),
        Setting(
            "stalled.after",
            default: "60",
            help: "the stale-detector's setting: seconds of silence after which a job is stalled"
        ),
        Setting(
            "insecure",
            default: "false",
            help: "true allows an address that is not loopback, without TLS and tokens"
        ),
    ]

    init(_ settings: Settings) throws(SettingsError) {
        listen = try settings.address("ingest.listen")
        admin = try settings.address("ingest.admin")
        writers = try settings.string("writers").split(separator: ",").map {
            String($0.drop { $0 == " " })
        }
        for endpoint in writers where !["tcp://", "ipc://"].contains(where: endpoint.hasPrefix) {
            throw SettingsError(
                "--writers (SENDENSE_WRITERS) has \"\(endpoint)\"; an endpoint is written tcp://127.0.0.1:5590"
            )
        }
        ackTimeoutMilliseconds = Int64(try settings.int("ack.timeout", in: 10...600_000))
        windowCountMax = try settings.int("ingest.window", in: 1...10_000_000)
        connectionCountMax = try settings.int("ingest.connections", in: 1...1_000_000)
        let outboxPath = try settings.string("outbox")
        let outboxMebibytes = Int64(try settings.int("outbox.mebibytes", in: 1...1_048_576))
        outbox =
            outboxPath == "none"
            ? nil : OutboxSettings(path: outboxPath, byteCountMax: outboxMebibytes * 1_048_576)
        let standardName = "\(HostName.current)/\(listen.host):\(listen.port)"
        name = String((settings.optionalString("ingest.name") ?? standardName).prefix(190))
        let stalledAfterSeconds = Int64(try settings.int("stalled.after", in: 1...86_400))
        beatGapMilliseconds = PathRule.gapMilliseconds(stalledAfterSeconds: stalledAfterSeconds)
        let isOpen = try settings.string("insecure") == "true"
        guard isOpen || Loopback.contains(host: listen.host) else {
            throw SettingsError(
                "--ingest-listen \(listen.host): only loopback is served without TLS and tokens, which this build does "
                    + "not have; listen on 127.0.0.1 behind a tunnel or balancer, or set --insecure true to accept the risk"
            )
        }
    }
}
