import Foundation
import Glibc
import Logging
import Synchronization
import Testing
import Threading

@testable import Logs
@testable import SBC

/// Terminals, pipes and FIFOs that nobody reads: neither copy nor reports nor the end wait for a reader.
@Suite(.serialized) struct HungReaderTests {
    private let folder = TemporaryFolder()

    private func arguments(_ hub: ScriptedHub, _ more: [String] = []) throws -> [String] {
        var random = SplitMix64(seed: 6)
        let size = 1_000_000
        try DiskFile.make(folder("source"), size: size, data: [(0, random.bytes(size))])
        return [
            "--vm", "pg", "--disk", "\(folder("source"))=\(folder("target"))", "--hub-url", hub.url,
            "--state-dir", folder("state"), "--release-command", "touch \(folder("released"))",
        ] + more
    }

    private func expectGoodEnd(_ program: Process, _ hub: ScriptedHub) throws {
        #expect(eventually(milliseconds: 25_000) { !program.isRunning })
        if program.isRunning { kill(program.processIdentifier, SIGKILL) }
        program.waitUntilExit()
        #expect(program.terminationStatus == 0)
        #expect(hub.requests.last?.status == "completed")
        #expect(FileManager.default.fileExists(atPath: folder("released")))
        #expect(try DiskFile.content(folder("target")) == DiskFile.content(folder("source")))
    }

    /// The writing end of a pipe that is full, and its reading end.
    private func fullPipe() throws -> Pipe {
        let pipe = Pipe()
        let number = pipe.fileHandleForWriting.fileDescriptor
        let flags = fcntl(number, F_GETFL)
        _ = fcntl(number, F_SETFL, flags | O_NONBLOCK)
        let page = [UInt8](repeating: 0x2E, count: 4096)
        while unsafe write(number, page, page.count) > 0 {}
        _ = fcntl(number, F_SETFL, flags)
        return pipe
    }

    @Test(.timeLimit(.minutes(1)))
    func `a terminal that is stopped in mid-copy holds up nothing`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let master = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY)
        defer { close(master) }
        var lock: Int32 = 0
        var number: Int32 = -1
        // TIOCSPTLCK and TIOCGPTN, which Swift does not import.
        try #require(unsafe ioctl(master, 0x4004_5431, &lock) == 0)
        try #require(unsafe ioctl(master, 0x8004_5430, &number) == 0)
        let slave = unsafe open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        try #require(slave >= 0)
        let terminal = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
        // The log goes to the terminal, too.
        let program = client(try arguments(hub, ["--rate-limit", "250K", "--log-file", "/dev/stderr"]))
        program.environment?["TERM"] = "xterm"
        program.standardOutput = terminal
        program.standardError = terminal
        try program.run()
        #expect(eventually { hub.requests("telemetry").contains { $0.phase == "transferring" } })
        // Ctrl-S
        #expect(unsafe write(master, [0x13], 1) == 1)
        try expectGoodEnd(program, hub)
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["--json", "--quiet"])
    func `full pipes hold up nothing`(style: String) throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let pipes = [try fullPipe(), try fullPipe()]
        let program = client(try arguments(hub, [style, "--log-file", "/dev/stderr"]))
        program.standardOutput = pipes[0]
        program.standardError = pipes[1]
        try program.run()
        try expectGoodEnd(program, hub)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a log that is a FIFO without a reader holds up nothing`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        try #require(unsafe mkfifo(folder("log"), 0o600) == 0)
        let program = client(try arguments(hub, ["--quiet", "--log-file", folder("log")]))
        try program.run()
        try expectGoodEnd(program, hub)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a reader who takes a while gets all that is printed`() throws {
        let pipe = try fullPipe()
        let program = client(["--help"])
        program.standardOutput = pipe
        try program.run()
        #expect(!eventually(milliseconds: 7000) { !program.isRunning })
        try pipe.fileHandleForWriting.close()
        let said = try #require(try pipe.fileHandleForReading.readToEnd())
        #expect(String(decoding: said, as: UTF8.self).contains("SUBCOMMANDS"))
        program.waitUntilExit()
        #expect(program.terminationStatus == 0)
    }

    @Test(.timeLimit(.minutes(1)))
    func `what is wrong with an argument is said to a reader who takes a moment`() throws {
        let pipe = try fullPipe()
        let program = client([])
        program.arguments = ["-c", #"exec "$1" --vm $'\xff'"#, "bash", program.executableURL?.path ?? ""]
        program.executableURL = URL(fileURLWithPath: "/bin/bash")
        program.standardError = pipe
        try program.run()
        #expect(!eventually(milliseconds: 1000) { !program.isRunning })
        try pipe.fileHandleForWriting.close()
        let said = try #require(try pipe.fileHandleForReading.readToEnd())
        program.waitUntilExit()
        #expect(String(decoding: said, as: UTF8.self).contains("is not UTF-8"))
        #expect(program.terminationStatus == 2)
    }

    @Test func `a reader who was waited for in vain is not waited for again`() throws {
        let pipe = try fullPipe()
        let stream = StreamWriter(fileDescriptor: pipe.fileHandleForWriting.fileDescriptor)
        #expect(stream.write([0x0A]))
        #expect(!stream.settle(milliseconds: 100))
        let start = MonotonicClock.nowMilliseconds
        #expect(!stream.settle(milliseconds: 10_000))
        #expect(MonotonicClock.nowMilliseconds - start < 5000)
        _ = try pipe.fileHandleForReading.read(upToCount: 65_536)
        #expect(eventually { stream.waitingByteCount == 0 })
    }

    @Test(.timeLimit(.minutes(1)), arguments: [0, O_NONBLOCK])
    func `lines that a full log did not take are counted, and told once it is read`(flag: Int32) throws {
        let pipe = try fullPipe()
        let number = pipe.fileHandleForWriting.fileDescriptor
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | flag)
        let sink = LogSink(fileDescriptor: number)
        let logger = Logger(label: "sbc") { LineLogHandler(label: $0, sink: sink) }
        let long = String(repeating: "x", count: 1000)
        for _ in 0..<2000 { logger.info("\(long)") }
        let said = Mutex(Data())
        let reader = DedicatedThread(name: "reader") { [handle = pipe.fileHandleForReading] in
            let all = (try? handle.readToEnd()) ?? Data()
            said.withLock { $0 = all }
        }
        #expect(sink.stream.settle(milliseconds: 20_000))
        logger.info("after")
        #expect(sink.stream.settle(milliseconds: 20_000))
        try pipe.fileHandleForWriting.close()
        reader.join()
        let lines = String(decoding: said.withLock { $0 }, as: UTF8.self).split(separator: "\n")
        let kept = lines.count { $0.hasSuffix(long) }
        #expect(kept > 900 && kept < 1100)
        // What there is little room left for may be a notice where it is no line.
        let notice = "log lines were lost, nobody read them count="
        let told = lines.compactMap { line in
            line.firstRange(of: notice).flatMap { Int(line[$0.upperBound...]) }
        }
        #expect(told.reduce(0, +) == 2000 - kept)
        #expect(lines.suffix(2).first?.contains(notice) == true)
        #expect(lines.last?.hasSuffix("after") == true)
    }
}
