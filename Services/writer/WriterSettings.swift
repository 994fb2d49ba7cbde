import Database
import DatabaseKit
import JobModel
import ServiceKit

/// What the writer can be told.
struct WriterSettings: Sendable {
    /// The ZeroMQ endpoint that ingests connect to.
    var bind: String
    /// Where the admin endpoints listen.
    var admin: (host: String, port: Int)
    /// How many lanes, each with a thread and a connection of its own.
    var laneCount: Int
    /// The most messages that wait in one lane; more are answered `unavailable` at once.
    var laneMessageCountMax: Int
    /// Milliseconds that a lane with little to do waits for company.
    var lingerMilliseconds: Int
    /// The name under which its beats are kept; stable over restarts.
    var name: String
    /// The longest time between two beats that is no interruption, in milliseconds.
    var beatGapMilliseconds: Int64
    /// The database.
    var database: DatabaseSettings

    static let declared: [Setting] =
        [
            Setting("writer.bind", default: "tcp://127.0.0.1:5590", help: "ZeroMQ endpoint for the ingests"),
            Setting(
                "writer.admin",
                default: "127.0.0.1:9590",
                help: "HOST:PORT of /livez, /readyz and /metrics"
            ),
            Setting("writer.lanes", default: "2", help: "lanes, each with a database connection of its own"),
            Setting("writer.queue", default: "32768", help: "messages that may wait in one lane"),
            Setting(
                "writer.linger",
                default: "100",
                help: "milliseconds that progress waits for others at most where there is little to do"
            ),
            Setting(
                "writer.name",
                help: "name in the table of beats, the same after a restart [HOST/BIND]"
            ),
            Setting(
                "stalled.after",
                default: "60",
                help: "the stale-detector's setting: seconds of silence after which a job is stalled"
            ),
            Setting(
                "insecure",
                default: "false",
                help: "true allows an endpoint that is not loopback, without encryption"
            ),
        ] + .database

    init(_ settings: Settings) throws(SettingsError) {
        bind = try settings.string("writer.bind")
        let isOpen = try settings.string("insecure") == "true"
        guard isOpen || bind.hasPrefix("ipc://") || Loopback.contains(endpoint: bind) else {
            throw SettingsError(
                "--writer-bind (SENDENSE_WRITER_BIND) is \"\(bind)\"; whoever reaches it can write any job, so only "
                    + "loopback is bound: tcp://127.0.0.1:5590; set --insecure true to accept the risk"
            )
        }
        admin = try settings.address("writer.admin")
        laneCount = try settings.int("writer.lanes", in: 1...64)
        laneMessageCountMax = try settings.int("writer.queue", in: 1...10_000_000)
        lingerMilliseconds = try settings.int("writer.linger", in: 0...1000)
        name = String((settings.optionalString("writer.name") ?? "\(HostName.current)/\(bind)").prefix(190))
        let stalledAfterSeconds = Int64(try settings.int("stalled.after", in: 1...86_400))
        beatGapMilliseconds = PathRule.gapMilliseconds(stalledAfterSeconds: stalledAfterSeconds)
        database = try DatabaseSettings(settings)
    }
}
