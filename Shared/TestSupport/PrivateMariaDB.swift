public import Database
import Foundation
import Glibc
import Synchronization

/// A MariaDB server of the test's own: fresh data in a temporary folder, on a unix socket only.
///
/// It ends with its owner's `stop()`, with its last reference, and at the latest with the test process, however
/// that ends. All methods block: call them from synchronous tests.
public final class PrivateMariaDB: Sendable {
    /// The log in for everything: root without a password, no database selected.
    public let settings: DatabaseSettings
    private let folder: String
    private let data: String
    private let variables: [String]
    private let arguments: [String]
    private let pid = Mutex<pid_t?>(nil)
    private let databaseCount = Atomic<Int>(0)

    private static let template = Mutex<String?>(nil)
    private static let servers = Mutex<[String: PrivateMariaDB]>([:])
    private static let startSecondsMax = 60
    private static let stopSecondsMax = 20

    private var socketPath: String { folder + "/s" }
    private var logPath: String { folder + "/log" }

    /// Starts a server and waits until it takes logins.
    /// - Parameters:
    ///   - timeZone: the server's zone, as `default_time_zone` takes it. -03:00 shows what +00:00 hides.
    ///   - durable: whether a commit reaches the disk; without it commits are ten times faster, and the data
    ///     still survives a killed server, not a killed machine.
    ///   - options: more options of mariadbd.
    ///   - environment: more variables of mariadbd's, such as TZ.
    ///   - dataHome: the folder in which the data's own folder is made; nil for one beside the server's log.
    /// - Returns: the server, ready.
    /// - Throws: `TestSupportError` with the end of the server's log.
    public static func start(
        timeZone: String = "-03:00",
        durable: Bool = false,
        options: [String] = [],
        environment: [String: String] = [:],
        dataHome: String? = nil
    ) throws -> PrivateMariaDB {
        let template = try readyTemplate()
        let folder = try Leftovers.newFolder()
        let data = (dataHome ?? folder) + "/data"
        try Launcher.run(
            // On a disk of the test's own, which may come to be full, the log's room is to be there beforehand.
            ["cp", "-a", "--sparse=\(dataHome == nil ? "always" : "never")", template, data],
            logPath: folder + "/log"
        )
        var arguments = ["--default-time-zone=\(timeZone)"]
        if !durable {
            arguments += [
                "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
                "--innodb-flush-method=nosync",
            ]
        }
        let server = PrivateMariaDB(
            folder: folder,
            data: data,
            variables: environment.map { "\($0)=\($1)" },
            arguments: arguments + options
        )
        try server.launch()
        return server
    }

    /// The server that all tests of this process share, one for each time zone; started at first use.
    public static func shared(timeZone: String = "-03:00") throws -> PrivateMariaDB {
        try servers.withLock { servers in
            if let server = servers[timeZone] { return server }
            let server = try start(timeZone: timeZone)
            servers[timeZone] = server
            return server
        }
    }

    private init(folder: String, data: String, variables: [String], arguments: [String]) {
        self.folder = folder
        self.data = data
        self.variables = variables
        self.arguments = arguments
        settings = DatabaseSettings(socketPath: folder + "/s", database: "", user: "root", password: "")
    }

    deinit {
        kill9()
        Leftovers.remove(folder: folder)
    }

    /// A new, empty database of its own on this server, with the server's default character set (latin1 here,
    /// so that a table which does not name its own is found out).
    public func createDatabase() throws -> DatabaseSettings {
        let number = databaseCount.add(1, ordering: .relaxed).newValue
        let own = settings.using(database: "test_\(number)")
        try Connection.open(settings).execute("CREATE DATABASE `\(own.database)`")
        return own
    }

    /// Ends the server in order: SIGTERM, and SIGKILL after 20 s. Harmless where it has ended.
    public func stop() {
        signal(SIGTERM)
        // A stopped process takes no SIGTERM.
        signal(SIGCONT)
        let deadline = ContinuousClock.now + .seconds(Self.stopSecondsMax)
        while ContinuousClock.now < deadline, !hasEnded() { usleep(10_000) }
        kill9()
    }

    /// Kills the server without warning. Harmless where it has ended.
    public func kill9() {
        signal(SIGKILL)
        pid.withLock { pid in
            guard let ended = pid else { return }
            while waitpid(ended, nil, 0) == -1, errno == EINTR {}
            Leftovers.remove(pid: ended)
            pid = nil
        }
    }

    /// Freezes the server: connections stay open and nothing answers.
    public func pause() {
        signal(SIGSTOP)
        pid.withLock { pid in
            guard let running = pid else { return }
            // Its threads stop one by one: until all have, one may still answer.
            var status: Int32 = 0
            while unsafe waitpid(running, &status, WUNTRACED) == -1, errno == EINTR {}
            // The low byte of a stopped process's status is 0x7F (wait(2)); any other means that it has ended.
            guard status & 0xFF != 0x7F else { return }
            Leftovers.remove(pid: running)
            pid = nil
        }
    }

    /// Lets a frozen server go on.
    public func resume() { signal(SIGCONT) }

    /// Starts the server again on the same data, ending it first where it runs.
    public func restart() throws {
        stop()
        try launch()
    }

    /// The end of the server's log.
    public var logTail: String { Launcher.logTail(logPath) }

    private func launch() throws {
        let started = try Launcher.start(
            ["env"] + variables + ["mariadbd", "--no-defaults"] + Self.userArguments
                + [
                    "--datadir=\(data)", "--socket=\(socketPath)", "--pid-file=\(folder)/pid",
                    "--tmpdir=\(folder)", "--skip-networking", "--skip-name-resolve",
                    "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M",
                ] + arguments,
            logPath: logPath
        )
        Leftovers.add(pid: started)
        pid.withLock { $0 = started }
        let deadline = ContinuousClock.now + .seconds(Self.startSecondsMax)
        while true {
            guard !hasEnded() else {
                throw TestSupportError("mariadbd ended at start: \(Launcher.logTail(logPath))")
            }
            do {
                _ = try Connection.open(settings)
                return
            } catch {
                guard ContinuousClock.now < deadline else {
                    throw TestSupportError("no login: \(error): \(Launcher.logTail(logPath))")
                }
                usleep(20_000)
            }
        }
    }

    private func signal(_ number: Int32) {
        pid.withLock { pid in
            if let pid { kill(pid, number) }
        }
    }

    /// Whether the server has ended by itself; buries it.
    private func hasEnded() -> Bool {
        pid.withLock { pid in
            guard let running = pid else { return true }
            guard waitpid(running, nil, WNOHANG) == running else { return false }
            Leftovers.remove(pid: running)
            pid = nil
            return true
        }
    }

    /// mariadbd refuses to run as root unless told so.
    private static var userArguments: [String] { geteuid() == 0 ? ["--user=root"] : [] }

    /// A data folder to copy, made once per process: making one takes seconds, copying it a fraction of one.
    private static func readyTemplate() throws -> String {
        try template.withLock { template in
            if let template { return template }
            let folder = try Leftovers.newFolder()
            try Launcher.run(
                ["mariadb-install-db", "--no-defaults"] + userArguments
                    + [
                        "--datadir=\(folder)/data", "--auth-root-authentication-method=normal",
                        "--skip-test-db", "--innodb-log-file-size=16M",
                    ],
                logPath: folder + "/log"
            )
            template = folder + "/data"
            return folder + "/data"
        }
    }
}
