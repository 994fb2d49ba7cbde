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
                request.answer(
                    Result { () throws(TestSupportError) in
                        try Spawn.start(request.arguments, outputPath: request.logPath, isAppending: true)
                    }
                )
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
        let status = Spawn.wait(for: try start(arguments, logPath: logPath))
        guard status == 0 else {
            throw TestSupportError("\(arguments[0]) ended with status \(status): \(logTail(logPath))")
        }
    }

    /// The end of a log, for a failure's message.
    package static func logTail(_ path: String) -> String {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return "no log" }
        return text.split(separator: "\n").suffix(15).joined(separator: "\n")
    }
}
