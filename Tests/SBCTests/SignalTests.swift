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
                "--state-dir", folder("state"), "--release-command", "touch \(folder("released"))",
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

    @Test(.timeLimit(.minutes(1)), arguments: [SIGHUP, SIGQUIT, SIGTERM, SIGINT])
    func `the copy is stopped, told as cancelled and its snapshot released`(signal: Int32) throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let program = try program(hub)
        inEnv(program, "--default-signal=HUP,QUIT,INT")
        try program.run()
        #expect(isCopying(hub))
        kill(program.processIdentifier, signal)
        // The terminal that goes away and the shell in it both send one.
        if signal == SIGHUP { kill(program.processIdentifier, signal) }
        program.waitUntilExit()
        #expect(program.terminationReason == .exit && program.terminationStatus == 128 + signal)
        #expect(hub.requests.last?.status == "cancelled")
        #expect(isReleased)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [SIGUSR1, SIGUSR2, SIGALRM, SIGHUP])
    func `others, and a SIGHUP that nohup ignores, change nothing`(signal: Int32) throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let program = try program(hub)
        inEnv(program, "--ignore-signal=HUP")
        try program.run()
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
        try program.run()
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
        try program.run()
        var said = Data()
        // That disk is told before the delivery, not after it; then it is said what the end waits for.
        while !String(decoding: said, as: UTF8.self).contains("disk 0 completed") {
            said += output.fileHandleForReading.availableData
        }
        var complaints = Data()
        while !String(decoding: complaints, as: UTF8.self).contains("the copy has ended") {
            complaints += errors.fileHandleForReading.availableData
        }
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
