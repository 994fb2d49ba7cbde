import Database
import Foundation
import StackSupport
import TestSupport

/// A hub of the lab's own: a database, and as many of each service as a scenario wants.
final class Site: Sendable {
    /// What a scenario wants.
    struct Plan: Sendable {
        var ingestCount = 1
        var writerCount = 1
        var detectorCount = 1
        var stalledAfterSeconds = 4
        var failedAfterSeconds = 10
        /// A server of the site's own; nil for the one that scenarios share which leave it alone.
        var server: (@Sendable () throws -> PrivateMariaDB)?
        /// Where ingests keep their outboxes; nil for the site's folder.
        var outboxFolder: String?
        /// More variables of services.
        var variables: [ServiceProcess.Kind: [String: String]] = [:]
        /// The writers' address, and the program that puts one where that address is.
        var writerHost = "127.0.0.1"
        var writerPrefix: [String] = []
        /// Puts something between ingest and a writer: gets the writer's port, returns the one to call.
        var detour: (@Sendable (_ writerPort: Int) throws -> Int)?

        static let durableServer: @Sendable () throws -> PrivateMariaDB = {
            try PrivateMariaDB.start(durable: true)
        }
    }

    let plan: Plan
    let folder: String
    let server: PrivateMariaDB
    let ingests: [ServiceProcess]
    let writers: [ServiceProcess]
    let detectors: [ServiceProcess]
    /// Where the ingests listen.
    let ports: [Int]
    /// Where the writers listen.
    let writerPorts: [Int]
    /// The outboxes' files.
    let outboxes: [String]
    private let database: DatabaseSettings

    private static let user = "lab"

    /// Makes the folder and the database; starts nothing else.
    init(_ plan: Plan) throws {
        self.plan = plan
        folder = try Leftovers.newFolder()
        server = try plan.server?() ?? PrivateMariaDB.shared()
        let database = try server.createDatabase()
        self.database = database
        // Not root: some faults do not show to one who may do everything.
        let root = try Connection.open(database)
        try root.execute("CREATE USER IF NOT EXISTS '\(Self.user)'@'localhost'")
        try root.execute("GRANT ALL ON `\(database.database)`.* TO '\(Self.user)'@'localhost'")
        let common = [
            "SENDENSE_DATABASE_SOCKET": database.socketPath ?? "",
            "SENDENSE_DATABASE_NAME": database.database, "SENDENSE_DATABASE_USER": Self.user,
            "SENDENSE_STALLED_AFTER": "\(plan.stalledAfterSeconds)",
            "SENDENSE_FAILED_AFTER": "\(plan.failedAfterSeconds)",
            // As far below the thresholds as it is in the field, or a client that waits for answers which
            // do not come has too few tries within a threshold.
            "SENDENSE_ACK_TIMEOUT": "1000",
        ]
        let maker = Maker(plan: plan, folder: folder, common: common)
        writerPorts = try (0..<plan.writerCount).map { _ in try ServicePorts.take() }
        writers = try writerPorts.enumerated().map { try maker.writer($0, port: $1) }
        detectors = try (0..<plan.detectorCount).map { try maker.detector($0) }
        let endpoints = try writerPorts.map { port in
            "tcp://\(plan.writerHost):\(try plan.detour?(port) ?? port)"
        }
        ports = try (0..<plan.ingestCount).map { _ in try ServicePorts.take() }
        let outboxFolder = plan.outboxFolder ?? folder
        outboxes = ports.indices.map { "\(outboxFolder)/outbox-\($0 + 1).sqlite" }
        let places = Array(zip(ports, outboxes))
        ingests = try places.enumerated().map { number, place in
            try maker.ingest(number, port: place.0, outbox: place.1, writers: endpoints)
        }
    }

    deinit { Leftovers.remove(folder: folder) }

    /// All service processes, in the order of the path.
    var services: [ServiceProcess] { writers + detectors + ingests }

    /// Starts all services, and waits until they are ready.
    func start() throws {
        for service in services { try service.start() }
        for service in services { try service.waitUntilReady() }
    }

    /// Kills what is left.
    func abandon() {
        for service in services { service.kill9() }
    }

    /// A log in that may do everything.
    func connection() throws -> Connection { try Connection.open(database) }

    /// The ends of all logs.
    var logTails: String {
        var parts = services.map { ($0.name, Launcher.logTail($0.logPath)) }
        parts.append(("mariadb", server.logTail))
        return parts.map { name, text in
            let lines = text.split(separator: "\n").suffix(10).map { "      \($0)" }.joined(separator: "\n")
            return "    the end of \(name)'s log:\n\(lines)"
        }.joined(separator: "\n")
    }

    /// Copies the logs to a folder that stays.
    func keepLogs(in folder: String) throws {
        let files = FileManager.default
        try? files.removeItem(atPath: folder)
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for service in services where files.fileExists(atPath: service.logPath) {
            try files.copyItem(atPath: service.logPath, toPath: "\(folder)/\(service.name).log")
        }
    }
}

/// Makes a site's services.
private struct Maker {
    let plan: Site.Plan
    let folder: String
    /// What every service is told.
    let common: [String: String]

    func writer(_ number: Int, port: Int) throws -> ServiceProcess {
        let admin = (plan.writerHost, try ServicePorts.take())
        return service(
            .writer,
            number,
            admin: admin,
            [
                "SENDENSE_WRITER_BIND": "tcp://\(plan.writerHost):\(port)",
                "SENDENSE_WRITER_ADMIN": "\(admin.0):\(admin.1)",
                "SENDENSE_INSECURE": plan.writerHost == "127.0.0.1" ? "false" : "true",
            ],
            prefix: plan.writerPrefix
        )
    }

    func detector(_ number: Int) throws -> ServiceProcess {
        let admin = ("127.0.0.1", try ServicePorts.take())
        return service(
            .staleDetector,
            number,
            admin: admin,
            ["SENDENSE_STALE_DETECTOR_ADMIN": "\(admin.0):\(admin.1)"]
        )
    }

    func ingest(_ number: Int, port: Int, outbox: String, writers: [String]) throws -> ServiceProcess {
        let admin = ("127.0.0.1", try ServicePorts.take())
        return service(
            .ingest,
            number,
            admin: admin,
            [
                "SENDENSE_INGEST_LISTEN": "127.0.0.1:\(port)",
                "SENDENSE_INGEST_ADMIN": "\(admin.0):\(admin.1)",
                "SENDENSE_WRITERS": writers.joined(separator: ","),
                "SENDENSE_OUTBOX": outbox,
            ]
        )
    }

    private func service(
        _ kind: ServiceProcess.Kind,
        _ number: Int,
        admin: (host: String, port: Int),
        _ variables: [String: String],
        prefix: [String] = []
    ) -> ServiceProcess {
        ServiceProcess(
            kind,
            name: "\(kind.rawValue)-\(number + 1)",
            folder: folder,
            admin: admin,
            variables: common.merging(variables) { $1 }.merging(plan.variables[kind] ?? [:]) { $1 },
            prefix: prefix
        )
    }
}
