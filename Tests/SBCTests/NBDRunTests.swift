import Foundation
import Glibc
import Logging
import TestSupport
import Testing
import Threading

@testable import SBC

/// Whole backups between real NBD servers, with a hub that notes what it is told.
@Suite(.serialized) struct NBDRunTests {
    private let folder = TemporaryFolder()

    private func run(_ hub: ScriptedHub, _ change: (inout BackupOptions) -> Void) throws -> Int32 {
        var options = BackupOptions(vm: "pg", jobID: "job-1", hubURL: hub.url, quiet: true)
        options.stateDirectory = folder("state")
        options.drainTimeoutSeconds = 5
        change(&options)
        let environment = ["SENDENSE_SBC_REPORT_INTERVAL_MS": "100"]
        let plan = try BackupPlan(options, environment: environment, nowMilliseconds: 0)
        return BackupRun(plan: plan, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }).run()
    }

    @Test func `the field's way: exports into the hub's qcow2 targets, full and then incremental`() throws {
        var random = SplitMix64(seed: 30)
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(200, #"{"status":"success"}"#) }
        defer { hub.stop() }
        var sources: [NBDServer] = []
        var targets: [NBDServer] = []
        for name in ["a", "b"] {
            try DiskFile.make(folder(name), size: 6 << 20, data: [(1 << 20, random.bytes(2 << 20))])
            try qemuImage(["create", "-q", "-f", "qcow2", folder("\(name).qcow2"), "6M"])
            sources.append(try .nbdkit(["-r", "file", folder(name)]))
            targets.append(try .qemu(folder("\(name).qcow2"), format: "qcow2", door: .port))
        }
        func expectSame() throws {
            for name in ["a", "b"] {
                let images = [folder(name), folder("\(name).qcow2")]
                try qemuImage(["compare", "-U", "-q", "-f", "raw", "-F", "qcow2"] + images)
            }
        }
        let nbdTargets = "2001:\(targets[1].uri),2000:\(targets[0].uri)"
        let full = try run(hub) {
            $0.disks = sources.map(\.uri)
            $0.nbdTargets = nbdTargets
            $0.isVerifying = true
            $0.changeID = "52 66/1"
        }
        #expect(full == 0)
        try expectSame()
        #expect(
            hub.requests("complete").map { $0.members["change_id"] as? String } == ["52 66/1", "52 66/1"]
        )
        #expect(hub.requests("register").last?.members["backup_type"] as? String == "full")

        let change = try FileHandle(forUpdating: URL(fileURLWithPath: folder("a")))
        try change.seek(toOffset: 4 << 20)
        try change.write(contentsOf: random.bytes(100_000))
        try change.close()
        let list = #"{"changedArea":[{"start":4194304,"length":131072}]}"#
        try list.write(toFile: folder("a.json"), atomically: true, encoding: .utf8)
        try "[]".write(toFile: folder("b.json"), atomically: true, encoding: .utf8)
        let incremental = try run(hub) {
            $0.jobID = "job-2"
            $0.disks = sources.map(\.uri)
            $0.nbdTargets = nbdTargets
            $0.isIncremental = true
            $0.changedBlocks = [folder("a.json"), folder("b.json")]
            $0.changeID = "52 66/2"
        }
        #expect(incremental == 0)
        try expectSame()
        #expect(hub.requests("register").last?.members["backup_type"] as? String == "incremental")
        let completions = hub.requests("complete").suffix(2)
        #expect(completions.map { $0.members["bytes_transferred"] as? Int } == [131_072, 0])
        #expect(completions.map { $0.members["change_id"] as? String } == ["52 66/2", "52 66/2"])
        #expect(hub.requests.last?.members["progress_percent"] as? Double == 100)
        #expect(hub.requests.last?.status == "completed")
    }

    @Test func `a bad sector is told within a second, and the disk that was done stays done`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(200, #"{"status":"success"}"#) }
        defer { hub.stop() }
        try DiskFile.make(folder("a"), size: 4096, data: [(0, Data("good".utf8))])
        let bad = try NBDServer.nbdkit([
            "eval", "get_size=echo 8388608",
            "pread=if [ $4 -ge 4194304 ]; then echo 'EIO bad sector' >&2; exit 1; fi; "
                + "head -c $3 /dev/zero | tr '\\000' x",
        ])
        let start = MonotonicClock.nowMilliseconds
        let status = try run(hub) {
            $0.disks = ["\(folder("a"))=\(folder("ta"))", "\(bad.uri)=\(folder("tb"))"]
        }
        #expect(status == 1)
        // Three pauses of 0.1, 0.2 and 0.4 s are the tries'.
        #expect(MonotonicClock.nowMilliseconds - start < 5000)
        let last = try #require(hub.requests("telemetry").last)
        #expect(last.status == "failed")
        // Of the disk that was done, the hub hears the change id nevertheless.
        let completions = hub.requests("complete").map(\.members)
        #expect(completions.map { $0["disk_id"] as? Int } == [0])
        #expect(completions.first?["bytes_transferred"] as? Int == 4096)
        let message = (last.members["error"] as? [String: Any])?["message"] as? String ?? ""
        #expect(message.hasPrefix("disk 1: cannot read the source \(bad.uri) at offset "), "\(message)")
        #expect(message.contains("Input/output error"), "\(message)")
        let disks = last.members["disks"] as? [[String: Any]] ?? []
        #expect(disks.map { $0["status"] as? String } == ["completed", "failed"])
        #expect(disks.first?["bytes_transferred"] as? Int == 4096)
    }

    @Test func `a signal while a server is waited for at the start is a cancellation`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(200, #"{"status":"success"}"#) }
        defer { hub.stop() }
        let silent = try NBDServer.nbdkit(["--filter=delay", "memory", "1M", "delay-open=30"])
        var options = BackupOptions(vm: "pg", jobID: "job-1", disks: ["\(silent.uri)=\(folder("t"))"])
        options.hubURL = hub.url
        options.quiet = true
        options.stateDirectory = folder("state")
        let plan = try BackupPlan(options, environment: [:], nowMilliseconds: 0)
        let run = BackupRun(plan: plan, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let cancellation = run.cancellation
        let stopper = DedicatedThread(name: "stopper") {
            _ = cancellation.sleep(milliseconds: 300)
            cancellation.cancel(.signal(15))
        }
        let start = MonotonicClock.nowMilliseconds
        #expect(run.run() == 143)
        #expect(MonotonicClock.nowMilliseconds - start < 10_000)
        stopper.join()
        #expect(hub.requests.last?.status == "cancelled")
    }

    @Test func `an export that another run writes is refused, by that run's job and process`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(200, #"{"status":"success"}"#) }
        defer { hub.stop() }
        try DiskFile.make(folder("a"), size: 1 << 20, data: [(0, Data("new".utf8))])
        try DiskFile.make(folder("t"), size: 1 << 20, data: [(0, Data("old".utf8))])
        let target = try NBDServer.nbdkit(["file", folder("t")], door: .port)
        func backup() throws -> Int32 {
            try run(hub) {
                $0.disks = ["\(folder("a"))=\(target.uri)"]
                $0.attempt = Int64(hub.requests("register").count + 1)
            }
        }
        // Another spelling of the same export.
        let other = target.uri.replacingOccurrences(of: "127.0.0.1", with: "localhost")
        var outcome: TargetLock.Outcome? = try TargetLock.take(
            uri: other,
            directory: folder("state"),
            jobID: "job-other"
        )
        guard case .taken = outcome else {
            Issue.record("the lock is held")
            return
        }
        #expect(try backup() == 1)
        let error = hub.requests("telemetry").last?.members["error"] as? [String: Any]
        let message = error?["message"] as? String ?? ""
        #expect(message.contains("another run (job job-other, process \(getpid()))"), "\(message)")
        #expect(try DiskFile.content(folder("t")).prefix(3) == Data("old".utf8))
        outcome = nil
        #expect(try backup() == 0)
        #expect(try DiskFile.content(folder("t")).prefix(3) == Data("new".utf8))
    }

    @Test(arguments: [true, false])
    func `a server that comes only after the start is waited for`(isSource: Bool) throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(200, #"{"status":"success"}"#) }
        defer { hub.stop() }
        try DiskFile.make(folder("a"), size: 1 << 20, data: [(0, Data("new".utf8))])
        try DiskFile.make(folder("t"), size: 1 << 20)
        let server = try NBDServer.nbdkit(
            ["file", folder(isSource ? "a" : "t")],
            door: isSource ? .port : .unixSocket
        )
        server.kill(SIGKILL)
        let starter = DedicatedThread(name: "starter") {
            usleep(700_000)
            try? server.start()
        }
        let status = try run(hub) {
            $0.disks = [isSource ? "\(server.uri)=\(folder("t"))" : "\(folder("a"))=\(server.uri)"]
            $0.reconnectTimeoutSeconds = 20
        }
        starter.join()
        #expect(status == 0)
        #expect(try DiskFile.content(folder("t")) == DiskFile.content(folder("a")))
        server.kill(SIGKILL)
        let start = MonotonicClock.nowMilliseconds
        let failed = try run(hub) {
            $0.jobID = "job-2"
            $0.disks = [isSource ? "\(server.uri)=\(folder("t"))" : "\(folder("a"))=\(server.uri)"]
            $0.reconnectTimeoutSeconds = 1
        }
        #expect(failed == 1)
        #expect(MonotonicClock.nowMilliseconds - start < 6000)
    }
}
