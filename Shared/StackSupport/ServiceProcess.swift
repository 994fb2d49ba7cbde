import Foundation
package import Glibc
import Synchronization
import TestSupport

/// One service process: started, killed and started again without `./dev`, which takes seconds for it.
package final class ServiceProcess: Sendable {
    package enum Kind: String, CaseIterable {
        case ingest, writer
        case staleDetector = "stale-detector"

        package var binary: String { "\(Stack.binaries)/sendense-\(rawValue)" }
    }

    package let kind: Kind
    /// `ingest-1`
    package let name: String
    package let logPath: String
    /// Where its admin endpoints answer.
    package let admin: (host: String, port: Int)
    private let variables: [String: String]
    /// A program that starts it, such as `nsenter`.
    private let prefix: [String]
    private let pid = Mutex<pid_t?>(nil)

    package init(
        _ kind: Kind,
        name: String,
        folder: String,
        admin: (host: String, port: Int),
        variables: [String: String],
        prefix: [String] = []
    ) {
        self.kind = kind
        self.name = name
        logPath = "\(folder)/\(name).log"
        self.admin = admin
        self.variables = variables
        self.prefix = prefix
    }

    /// Starts the process; it ends with this one at the latest.
    package func start() throws {
        let started = try Launcher.start(
            prefix + ["env"] + variables.map { "\($0)=\($1)" } + [kind.binary],
            logPath: logPath
        )
        Leftovers.add(pid: started)
        pid.withLock { $0 = started }
    }

    /// Kills it without warning. Harmless where it has ended.
    package func kill9() {
        pid.withLock { pid in
            guard let running = pid else { return }
            kill(running, SIGKILL)
            while waitpid(running, nil, 0) == -1, errno == EINTR {}
            Leftovers.remove(pid: running)
            pid = nil
        }
    }

    /// Asks it to end, and waits.
    ///
    /// - Returns: its exit status as the shell has it; nil if it was not done in time, and was killed.
    package func terminate(seconds: Double = 10) -> Int32? {
        signal(SIGTERM)
        var status: Int32?
        _ = eventually(seconds: seconds, everyMilliseconds: 5) {
            status = ended()
            return status != nil
        }
        kill9()
        return status
    }

    /// Freezes it.
    package func pause() { signal(SIGSTOP) }

    /// Lets it go on.
    package func resume() { signal(SIGCONT) }

    /// Its process number. nil while it does not run.
    package var processID: pid_t? { pid.withLock { $0 } }

    /// Whether it was started and has not been ended by us.
    package var isMeantToRun: Bool { pid.withLock { $0 != nil } }

    /// Its exit status, if it has ended by itself.
    package func ended() -> Int32? {
        pid.withLock { pid in
            guard let running = pid else { return nil }
            var raw: Int32 = 0
            guard unsafe waitpid(running, &raw, WNOHANG) == running else { return nil }
            Leftovers.remove(pid: running)
            pid = nil
            // wait(2): the low seven bits are the signal that ended it, 0 if none did.
            return raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F)
        }
    }

    package var isReady: Bool {
        guard let connection = try? HTTPConnection(host: admin.host, port: admin.port, timeoutSeconds: 2)
        else { return false }
        return (try? connection.request("GET", "/readyz"))?.status == 200
    }

    /// A metric's values, the sum over its labels. nil if there is none, or no answer.
    package func metric(_ name: String) -> Double? {
        guard let connection = try? HTTPConnection(host: admin.host, port: admin.port, timeoutSeconds: 2),
            let text = (try? connection.request("GET", "/metrics"))?.text
        else { return nil }
        let values = text.split(separator: "\n").compactMap { line -> Double? in
            guard line.hasPrefix(name), let end = line.dropFirst(name.count).first, end == " " || end == "{"
            else { return nil }
            return line.split(separator: " ").last.flatMap { Double($0) }
        }
        return values.isEmpty ? nil : values.reduce(0, +)
    }

    /// Waits until it is ready.
    ///
    /// - Throws: `EndToEndError` with the end of its log.
    package func waitUntilReady(seconds: Double = 30) throws {
        let isReady = eventually(seconds: seconds, everyMilliseconds: 10) { self.isReady }
        guard isReady else {
            throw EndToEndError("\(name) is not ready after \(seconds) s:\n\(Launcher.logTail(logPath))")
        }
    }

    private func signal(_ number: Int32) {
        pid.withLock { pid in
            if let pid { kill(pid, number) }
        }
    }
}
