import Foundation
package import Glibc
import Synchronization
import TestSupport

/// A program at work beside the test, its output in files. It is killed when nobody holds it any more.
///
/// Foundation's `Process` is no good for what starts daemons: it takes a program for running as long as any
/// of its descendants holds a socket of its, and hands on a signal mask with SIGTERM blocked.
package final class Command: Sendable {
    /// What a program left behind.
    package struct Output: Sendable, CustomStringConvertible {
        /// As the shell has it: 128 and more is a signal.
        package var status: Int32
        package var text: String
        package var errorText: String

        package var description: String { "exit \(status)\n\(text)\n\(errorText)" }
    }

    private static let counter = Atomic<Int>(0)

    package let pid: pid_t
    private let name: String
    private let outputPath: String
    private let errorPath: String
    private let status = Mutex<Int32?>(nil)

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - arguments: the program, searched in PATH, and its arguments.
    ///   - environment: all of its variables.
    ///   - folder: where its output is kept.
    /// - Throws: `TestSupportError` with the system's words.
    package init(_ arguments: [String], environment: [String: String], folder: String) throws {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        name = arguments.joined(separator: " ")
        outputPath = "\(folder)/command-\(number).out"
        errorPath = "\(folder)/command-\(number).err"
        pid = try Spawn.start(
            arguments,
            environment: environment,
            outputPath: outputPath,
            errorPath: errorPath
        )
    }

    deinit {
        kill9()
        for path in [outputPath, errorPath] { try? FileManager.default.removeItem(atPath: path) }
    }

    /// Runs a program to its end.
    ///
    /// - Throws: `EndToEndError` with its output if it takes longer than so many seconds; it is killed then.
    package static func run(
        _ arguments: [String],
        environment: [String: String],
        folder: String,
        seconds: Int = 60
    ) throws -> Output {
        try Command(arguments, environment: environment, folder: folder).wait(seconds: seconds)
    }

    /// Whether it has not ended yet.
    package var isRunning: Bool {
        status.withLock { status in
            guard status == nil else { return false }
            var raw: Int32 = 0
            guard unsafe waitpid(pid, &raw, WNOHANG) == pid else { return true }
            status = Spawn.exitStatus(raw)
            return false
        }
    }

    /// What it has written to standard output up to now.
    package var text: String { Self.content(outputPath) }

    /// Waits for the end.
    ///
    /// - Throws: `EndToEndError` with its output if it takes longer than so many seconds; it is killed then.
    package func wait(seconds: Int) throws -> Output {
        let hasEnded = eventually(seconds: Double(seconds), everyMilliseconds: 5) { !isRunning }
        guard hasEnded, let status = status.withLock({ $0 }) else {
            kill9()
            throw EndToEndError("\(name): not done after \(seconds) s:\n\(text)\n\(Self.content(errorPath))")
        }
        return Output(status: status, text: text, errorText: Self.content(errorPath))
    }

    /// Kills it without warning, and waits until it is gone.
    package func kill9() {
        guard isRunning else { return }
        kill(pid, SIGKILL)
        _ = eventually(seconds: 10, everyMilliseconds: 2) { !isRunning }
    }

    /// Asks it to end.
    package func terminate() { kill(pid, SIGTERM) }

    private static func content(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }
}

/// Why a test could not go on.
package struct EndToEndError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Waits until something is so, looking every so often.
///
/// - Returns: false if it was not within the time.
package func eventually(
    seconds: Double,
    everyMilliseconds: UInt32 = 50,
    _ condition: () throws -> Bool
) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
        if try condition() { return true }
        guard ContinuousClock.now < deadline else { return false }
        pause(milliseconds: everyMilliseconds)
    }
}

/// Lets time pass.
package func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }
