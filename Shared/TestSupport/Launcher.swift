import Foundation
package import Glibc
import Synchronization

/// Starts programs from one thread that never ends.
///
/// `setpriv --pdeathsig` kills a program when the *thread* that started it ends (prctl(2)), and the threads of
/// the cooperative pool come and go.
package enum Launcher {
    /// A program to start, and what came of it.
    private final class Request: Sendable {
        let arguments: [String]
        let logPath: String
        private let outcome = Mutex<Result<pid_t, TestSupportError>?>(nil)
        private let answered = DispatchSemaphore(value: 0)

        init(_ arguments: [String], logPath: String) {
            self.arguments = arguments
            self.logPath = logPath
        }

        func answer(_ result: Result<pid_t, TestSupportError>) {
            outcome.withLock { $0 = result }
            answered.signal()
        }

        func pid() throws(TestSupportError) -> pid_t {
            answered.wait()
            guard let outcome = outcome.withLock({ $0 }) else { preconditionFailure("no answer") }
            return try outcome.get()
        }
    }

    private static let requests = Mutex<[Request]>([])
    private static let wakeup: DispatchSemaphore = {
        let wakeup = DispatchSemaphore(value: 0)
        Thread {
            while true {
                wakeup.wait()
                guard let request = requests.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else {
                    continue
                }
                request.answer(spawn(request.arguments, logPath: request.logPath))
            }
        }.start()
        return wakeup
    }()

    /// Starts a program that ends with this process, its output appended to the log.
    package static func start(_ arguments: [String], logPath: String) throws(TestSupportError) -> pid_t {
        let request = Request(["setpriv", "--pdeathsig", "KILL", "--"] + arguments, logPath: logPath)
        requests.withLock { $0.append(request) }
        wakeup.signal()
        return try request.pid()
    }

    /// Runs a program to its end.
    package static func run(_ arguments: [String], logPath: String) throws(TestSupportError) {
        let pid = try start(arguments, logPath: logPath)
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) == -1, errno == EINTR {}
        guard status == 0 else {
            throw TestSupportError("\(arguments[0]) ended with status \(status): \(logTail(logPath))")
        }
    }

    /// The end of a log, for a failure's message.
    package static func logTail(_ path: String) -> String {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return "no log" }
        return text.split(separator: "\n").suffix(15).joined(separator: "\n")
    }

    private static func spawn(_ arguments: [String], logPath: String) -> Result<pid_t, TestSupportError> {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, logPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // This process may have signals blocked for a thread of its own that waits for them.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var vector = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe vector.forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let code = unsafe posix_spawnp(&pid, arguments[0], &actions, &attributes, &vector, environ)
        guard code == 0 else {
            return .failure(
                TestSupportError("cannot start \(arguments[0]): \(unsafe String(cString: strerror(code)))")
            )
        }
        return .success(pid)
    }
}
