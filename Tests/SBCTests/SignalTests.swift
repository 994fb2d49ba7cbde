import Foundation
import Glibc
import Testing
import Threading

@testable import SBC

/// What signals do to the program as it is built.
@Suite(.serialized) struct SignalTests {
    private let folder = TemporaryFolder()

    private func program(_ hub: ScriptedHub, _ more: [String] = ["--rate-limit", "250K"]) throws -> Process {
        var random = SplitMix64(seed: 7)
        let size = 1_000_000
        try DiskFile.make(folder("source"), size: size, data: [(0, random.bytes(size))])
        let program = client(
            [
                "--vm", "pg", "--disk", "\(folder("source"))=\(folder("target"))", "--hub-url", hub.url,
                "--state-dir", folder("state"), "--release-command",
                "sleep 0.5; touch \(folder("released"))",
                "--log-file", folder("log"),
            ] + more
        )
        program.standardOutput = FileHandle.nullDevice
        return program
    }

    private func isCopying(_ hub: ScriptedHub) -> Bool {
        eventually(milliseconds: 20_000) { hub.requests("telemetry").contains { $0.phase == "transferring" } }
    }

    private var isReleased: Bool { FileManager.default.fileExists(atPath: folder("released")) }

    /// `env` gives them the action that they have in a terminal, whatever this process was started with.
    private func inEnv(_ program: Process, _ option: String) {
        program.arguments = [option, program.executableURL?.path ?? ""] + (program.arguments ?? [])
        program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    }

    /// What a pipe says up to these words, or to its end.
    private func read(_ pipe: Pipe, until words: String) -> Data {
        var said = Data()
        while !String(decoding: said, as: UTF8.self).contains(words) {
            let more = pipe.fileHandleForReading.availableData
            if more.isEmpty { break }
            said += more
        }
        return said
    }

    /// Starts it with no signal blocked: test threads block most, and a program inherits that.
    private func start(_ program: Process) throws {
        var none = sigset_t()
        var own = sigset_t()
        unsafe sigemptyset(&none)
        unsafe pthread_sigmask(SIG_SETMASK, &none, &own)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &own, nil) }
        try program.run()
    }

    @Test(.timeLimit(.minutes(1)), arguments: [SIGHUP, SIGQUIT, SIGTERM, SIGINT])
    func `the copy is stopped, told as cancelled and its snapshot released`(signal: Int32) throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let program = try program(hub)
        inEnv(program, "--default-signal=HUP,QUIT,INT")
        try start(program)
        #expect(isCopying(hub))
        kill(program.processIdentifier, signal)
        // The terminal that goes away and the shell in it both send one; signals that wait are one.
        while signal == SIGHUP && program.isRunning {
            usleep(5000)
            kill(program.processIdentifier, signal)
        }
        program.waitUntilExit()
        #expect(program.terminationReason == .exit && program.terminationStatus == 128 + signal)
        #expect(hub.requests.last?.status == "cancelled")
        #expect(isReleased)
        #expect(try String(contentsOfFile: folder("log"), encoding: .utf8).contains("backup ended"))
    }

    @Test(.timeLimit(.minutes(1)), arguments: [SIGUSR1, SIGUSR2, SIGALRM, SIGHUP])
    func `others, and a SIGHUP that nohup ignores, change nothing`(signal: Int32) throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let program = try program(hub)
        inEnv(program, "--ignore-signal=HUP")
        try start(program)
        #expect(isCopying(hub))
        kill(program.processIdentifier, signal)
        program.waitUntilExit()
        #expect(program.terminationReason == .exit && program.terminationStatus == 0)
        #expect(hub.requests.last?.status == "completed")
    }

    @Test(.timeLimit(.minutes(1)))
    func `a file that may not grow is an error of the copy`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let program = try program(hub, ["--quiet"])
        let shell = ["-c", "ulimit -f 200; exec \"$@\"", "sh", program.executableURL?.path ?? ""]
        program.arguments = shell + (program.arguments ?? [])
        program.executableURL = URL(fileURLWithPath: "/bin/sh")
        try start(program)
        program.waitUntilExit()
        #expect(program.terminationReason == .exit && program.terminationStatus == 1)
        #expect(hub.requests.last?.status == "failed")
        #expect(isReleased)
    }

    @Test(.timeLimit(.minutes(1)))
    func `once the copy has ended, a signal ends the delivery and not what was achieved`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(503, "{}") }
        defer { hub.stop() }
        let program = try program(hub, ["--drain-timeout", "300"])
        let (output, errors) = (Pipe(), Pipe())
        program.standardOutput = output
        program.standardError = errors
        try start(program)
        // Whatever becomes of it, the streams end.
        let guardian = DedicatedThread(name: "guardian") { [number = program.processIdentifier] in
            if !eventually(milliseconds: 25_000, { kill(number, 0) != 0 }) { kill(number, SIGKILL) }
        }
        defer { guardian.join() }
        // That disk is told before the delivery, not after it; then it is said what the end waits for.
        var said = read(output, until: "disk 0 completed")
        var complaints = read(errors, until: "the copy has ended")
        let start = MonotonicClock.nowMilliseconds
        kill(program.processIdentifier, SIGINT)
        program.waitUntilExit()
        #expect(MonotonicClock.nowMilliseconds - start < 5000)
        #expect(program.terminationReason == .exit && program.terminationStatus == 0)
        said += try output.fileHandleForReading.readToEnd() ?? Data()
        complaints += try errors.fileHandleForReading.readToEnd() ?? Data()
        #expect(String(decoding: said, as: UTF8.self).contains("Backup completed"))
        let notice = String(decoding: complaints, as: UTF8.self)
        #expect(notice.contains("does not have") && notice.contains("(HTTP 503"))
        #expect(try !Spool(stateDirectory: folder("state")).entries().isEmpty)
    }
}
