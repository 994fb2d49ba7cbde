package import Database
import Foundation
package import Glibc
import Synchronization

/// The real services, started by `./dev` in a folder of their own.
package final class Stack: Sendable {
    /// A service of the stack, named as `./dev` names it.
    package enum Service: String, CaseIterable {
        case mariadb, writer, ingest
        case staleDetector = "stale-detector"

        /// The name in `stack.env` of its process number.
        package var pidVariable: String {
            "SENDENSE_PID_" + rawValue.uppercased().replacingOccurrences(of: "-", with: "_")
        }
    }

    /// The stack of the suite that is running.
    @TaskLocal package static var current: Stack?

    /// Its folder. All stacks of this process with the same folder name use it, one after the other: the
    /// database stays from one to the next, as it does for a user.
    package let folder: String
    private let environment: [String: String]

    /// Starts a stack, and waits until all of it is ready.
    ///
    /// - Parameters:
    ///   - settings: variables for `./dev up`, beside those that set it apart from other stacks.
    ///   - folderName: which of this process's folders it uses.
    /// - Throws: `EndToEndError` with what `./dev` said.
    package init(_ settings: [String: String] = [:], folderName: String = "own") throws {
        folder = try StackFolder.path(folderName)
        var environment = Self.cleanEnvironment
        environment["SENDENSE_STATE_DIR"] = folder
        environment["SENDENSE_BIN_DIR"] = Self.binaries
        environment["SKIP_BUILD"] = "1"
        environment["FREE_PORTS"] = "1"
        environment["MARIADB_OPTIONS"] = Self.mariaDBOptions(isDurable: false)
        self.environment = environment.merging(settings) { $1 }
        do {
            try dev("up", seconds: 120)
        } catch {
            // What is up already would be taken over by the next stack, which may want another database.
            _ = try? dev("down")
            throw error
        }
    }

    /// The options of the stack's MariaDB: never UTC, so that a confusion of zones shows.
    package static func mariaDBOptions(isDurable: Bool) -> String {
        "--default-time-zone=-03:00 --innodb-flush-log-at-trx-commit=\(isDurable ? 1 : 0)"
    }

    /// The repository, found from this file's place in it.
    package static let root = URL(fileURLWithPath: #filePath).pathComponents.dropLast(3).joined(
        separator: "/"
    )
    .replacingOccurrences(of: "//", with: "/")

    /// Where the services' binaries are.
    package static let binaries =
        ProcessInfo.processInfo.environment["SENDENSE_BIN_DIR"] ?? root + "/.build/debug"

    /// This process's variables without those that speak of another stack or another server.
    private static let cleanEnvironment: [String: String] = {
        let kept = ["SENDENSE_DEV_RUN"]
        return ProcessInfo.processInfo.environment.filter { name, _ in
            kept.contains(name) || !(name.hasPrefix("SENDENSE_") || name.hasPrefix("MYSQL"))
        }
    }()

    // MARK: - Commands

    /// Runs `./dev`.
    ///
    /// - Throws: `EndToEndError` with its output if it fails.
    @discardableResult
    package func dev(
        _ arguments: String...,
        variables: [String: String] = [:],
        seconds: Int = 90
    ) throws -> Command.Output {
        let output = try Command.run(
            [Self.root + "/dev"] + arguments,
            environment: environment.merging(variables) { $1 },
            folder: folder,
            seconds: seconds
        )
        guard output.status == 0 else {
            throw EndToEndError("./dev \(arguments.joined(separator: " ")): \(output)")
        }
        return output
    }

    /// Starts one service, with further variables for it, and waits until it is ready.
    package func start(_ service: Service, variables: [String: String] = [:]) throws {
        try dev("start", "SERVICE=\(service.rawValue)", variables: variables)
    }

    /// Stops one service in order.
    package func stop(_ service: Service) throws { try dev("stop", "SERVICE=\(service.rawValue)") }

    /// Kills one service without warning, and waits until it is gone.
    package func kill9(_ service: Service) throws {
        guard let pid = try variables()[service.pidVariable].flatMap({ pid_t($0) }) else {
            throw EndToEndError("stack.env does not name \(service.pidVariable)")
        }
        kill(pid, SIGKILL)
        guard eventually(seconds: 10, everyMilliseconds: 5, { !Self.isAlive(pid) }) else {
            throw EndToEndError("\(service.rawValue), process \(pid), survives SIGKILL")
        }
    }

    /// Runs a script of commands as a user does after `. stack.env`.
    package func shell(
        _ script: String,
        variables: [String: String] = [:],
        seconds: Int = 60
    ) throws -> Command.Output {
        try Command.run(
            ["bash", "-c", ". \"$SENDENSE_STATE_DIR/stack.env\"\n\(script)"],
            environment: environment.merging(variables) { $1 },
            folder: folder,
            seconds: seconds
        )
    }

    /// Starts a program of the stack's that the test holds itself.
    package func launch(_ arguments: [String], variables: [String: String]) throws -> Command {
        try Command(arguments, environment: environment.merging(variables) { $1 }, folder: folder)
    }

    // MARK: - What it says of itself

    /// The variables of `stack.env`.
    package func variables() throws -> [String: String] { try Self.exports("\(folder)/stack.env") }

    /// The services' settings, as they were saved at the start.
    package func settings() throws -> [String: String] { try Self.exports("\(folder)/run/settings") }

    /// The port at which ingest listens.
    package func ingestPort() throws -> Int {
        guard
            let port = try settings()["SENDENSE_INGEST_LISTEN"]?.split(separator: ":").last.flatMap({
                Int($0)
            })
        else { throw EndToEndError("the settings name no port of ingest") }
        return port
    }

    /// A login of the test's own, as the services' user.
    package func connection() throws -> Connection {
        let settings = DatabaseSettings(
            socketPath: try variables()["SENDENSE_MARIADB_SOCKET"],
            database: "migratekit_oma",
            user: "oma_user",
            password: "oma_password"
        )
        return try Connection.open(settings)
    }

    /// A service's log.
    package func log(_ service: Service) -> String {
        let data = FileManager.default.contents(atPath: "\(folder)/logs/\(service.rawValue).log") ?? Data()
        return String(decoding: data, as: UTF8.self)
    }

    /// The ends of all logs, for a failure's message.
    package var logTails: String {
        Service.allCases.map { service in
            let lines = log(service).split(separator: "\n").suffix(12).joined(separator: "\n    ")
            return "  the end of \(service.rawValue)'s log:\n    \(lines)"
        }.joined(separator: "\n")
    }

    /// The processes of this stack, also those that no file names any more.
    package func processes() -> [pid_t] {
        let mark = Data("SENDENSE_STACK=\(folder)".utf8)
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { pid_t($0) }.filter { pid in
            guard let environ = FileManager.default.contents(atPath: "/proc/\(pid)/environ") else {
                return false
            }
            return environ.split(separator: 0).contains { Data($0) == mark } && Self.isAlive(pid)
        }
    }

    /// Whether a process is there and no zombie.
    private static func isAlive(_ pid: pid_t) -> Bool {
        guard let stat = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return false }
        let fields = String(decoding: stat, as: UTF8.self).split(separator: ")").last ?? ""
        return !fields.hasPrefix(" Z") && !fields.hasPrefix(" X")
    }

    private static func exports(_ path: String) throws -> [String: String] {
        var values: [String: String] = [:]
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
            let parts = line.dropFirst("export ".count).split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { continue }
            values[String(parts[0])] = parts[1].trimmingCharacters(in: CharacterSet(charactersIn: "'"))
        }
        return values
    }
}
