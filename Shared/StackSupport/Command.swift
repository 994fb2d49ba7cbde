import Foundation
package import Glibc
import Synchronization

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
    /// - Throws: `EndToEndError` with the errno.
    package init(_ arguments: [String], environment: [String: String], folder: String) throws {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        name = arguments.joined(separator: " ")
        outputPath = "\(folder)/command-\(number).out"
        errorPath = "\(folder)/command-\(number).err"
        pid = try Self.spawn(arguments, environment, outputPath, errorPath)
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
            // wait(2): the low seven bits are the signal that ended it, 0 if none did.
            status = raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F)
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

    private static func spawn(
        _ arguments: [String],
        _ environment: [String: String],
        _ outputPath: String,
        _ errorPath: String
    ) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let new = O_WRONLY | O_CREAT | O_TRUNC
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, outputPath, new, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, errorPath, new, 0o600)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let variables = environment.map { "\($0)=\($1)" }
        var argumentVector = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var environmentVector = unsafe variables.map { unsafe strdup($0) } + [nil]
        defer {
            unsafe argumentVector.forEach { unsafe free($0) }
            unsafe environmentVector.forEach { unsafe free($0) }
        }
        var pid: pid_t = 0
        let code = unsafe posix_spawnp(
            &pid,
            arguments[0],
            &actions,
            &attributes,
            &argumentVector,
            &environmentVector
        )
        guard code == 0 else { throw EndToEndError("cannot start \(arguments[0]): errno \(code)") }
        return pid
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
