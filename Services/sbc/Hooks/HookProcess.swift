internal import Glibc
internal import Threading

/// Runs one command to its end, in a process group of its own, and hands over its output line by line. Blocks.
struct HookProcess {
    enum Outcome: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
        case timedOut
        /// The run was stopped meanwhile.
        case stopped
        /// The errno of its start.
        case notStarted(Int32)
    }

    /// A line's most bytes; longer ones are cut there.
    static let lineByteCountMax = 4096
    /// Lines of one command that are handed over; the rest is read and dropped.
    static let lineCountMax = 1000
    /// How long a command has between SIGTERM and SIGKILL.
    static let graceMilliseconds: Int64 = 5000
    private static let tickMilliseconds: Int32 = 50

    var command: HookCommand
    /// All variables that it gets.
    var environment: [String: String]
    var timeoutMilliseconds: Int64

    /// Runs it.
    ///
    /// - Parameters:
    ///   - isStopped: once true, the command is told to end.
    ///   - onLine: called with each line of its output, standard error among it.
    /// - Returns: how it ended.
    func run(isStopped: () -> Bool, onLine: (String) -> Void) -> Outcome {
        var ends: (reading: Int32, writing: Int32) = (-1, -1)
        let code = unsafe withUnsafeMutablePointer(to: &ends) { pair in
            unsafe pair.withMemoryRebound(to: Int32.self, capacity: 2) { numbers in
                unsafe pipe(numbers)
            }
        }
        guard code == 0 else { return .notStarted(errno) }
        // Nothing else here starts processes, so that none can get them in between.
        for number in [ends.reading, ends.writing] { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
        let reading = Descriptor(ends.reading)
        let pid: pid_t
        do throws(StartError) {
            pid = try start(output: Descriptor(ends.writing))
        } catch {
            return .notStarted(error.errorNumber)
        }
        _ = fcntl(reading.number, F_SETFL, O_NONBLOCK)
        return follow(pid, reading, isStopped: isStopped, onLine: onLine)
    }

    /// Starts it and does not wait for it; its output goes where ours does.
    ///
    /// - Returns: its process. nil where it did not start.
    func startDetached() -> pid_t? { try? start(output: nil) }

    private func follow(
        _ pid: pid_t,
        _ output: Descriptor,
        isStopped: () -> Bool,
        onLine: (String) -> Void
    ) -> Outcome {
        var lines = LineCutter()
        var ending: Outcome?
        var killAt = MonotonicClock.nowMilliseconds + timeoutMilliseconds
        while true {
            var waiting = pollfd(fd: output.number, events: Int16(POLLIN), revents: 0)
            unsafe poll(&waiting, 1, Self.tickMilliseconds)
            read(output, &lines, onLine)
            var status: Int32 = 0
            if unsafe waitpid(pid, &status, WNOHANG) == pid {
                // What it wrote last; a process that it left behind may hold the pipe open for ever.
                read(output, &lines, onLine)
                lines.finish(onLine)
                let signal = status & 0x7F
                return ending ?? (signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal))
            }
            // At its end the pipe is ready at once, always: without this, waiting would be spinning.
            if waiting.revents & Int16(POLLHUP) != 0 { Pause.milliseconds(Int(Self.tickMilliseconds)) }
            let now = MonotonicClock.nowMilliseconds
            if ending == nil, isStopped() || now >= killAt {
                ending = now >= killAt ? .timedOut : .stopped
                kill(-pid, SIGTERM)
                killAt = now + Self.graceMilliseconds
            } else if ending != nil, now >= killAt {
                kill(-pid, SIGKILL)
            }
        }
    }

    private func read(_ output: Descriptor, _ lines: inout LineCutter, _ onLine: (String) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        // Bounded, so that a command that never stops writing cannot outlive its time.
        for _ in 0..<64 {
            let count = unsafe Glibc.read(output.number, &buffer, buffer.count)
            guard count > 0 else { return }
            lines.add(buffer[..<count], onLine)
        }
    }

    private struct StartError: Error {
        var errorNumber: Int32
    }

    private func start(output: Descriptor?) throws(StartError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        if let output {
            unsafe posix_spawn_file_actions_adddup2(&actions, output.number, 1)
            unsafe posix_spawn_file_actions_adddup2(&actions, output.number, 2)
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // SIGINT and SIGTERM are blocked here, SIGPIPE is ignored: both would be inherited. A group of its own
        // keeps a terminal's ^C from it, and lets all that it starts be ended together.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        var defaults = sigset_t()
        unsafe sigemptyset(&defaults)
        unsafe sigaddset(&defaults, SIGPIPE)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        var arguments = unsafe command.arguments.map { unsafe strdup($0) } + [nil]
        var variables = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            unsafe arguments.forEach { unsafe free($0) }
            unsafe variables.forEach { unsafe free($0) }
        }
        var pid: pid_t = 0
        let code = unsafe posix_spawnp(
            &pid,
            command.arguments[0],
            &actions,
            &attributes,
            &arguments,
            &variables
        )
        guard code == 0 else { throw StartError(errorNumber: code) }
        return pid
    }
}

/// Cuts output into lines, within limits.
private struct LineCutter {
    private var line: [UInt8] = []
    private var count = 0

    mutating func add(_ bytes: ArraySlice<UInt8>, _ onLine: (String) -> Void) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                finish(onLine)
            } else if line.count < HookProcess.lineByteCountMax {
                line.append(byte)
            }
        }
    }

    mutating func finish(_ onLine: (String) -> Void) {
        guard !line.isEmpty else { return }
        count += 1
        if count <= HookProcess.lineCountMax { onLine(String(decoding: line, as: UTF8.self)) }
        line = []
    }
}
