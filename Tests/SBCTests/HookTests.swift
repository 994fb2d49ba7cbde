import Foundation
import Glibc
import Logging
import Synchronization
import TestSupport
import Testing
import Threading

@testable import SBC

/// Snapshot hooks: real processes, whole backups.
@Suite(.serialized) struct HookTests {
    private let folder = TemporaryFolder()

    private func run(
        _ hub: ScriptedHub?,
        snapshot: String? = nil,
        release: String? = nil,
        _ change: (inout BackupOptions) -> Void = { _ in },
        stop: ((BackupRun) -> Void)? = nil
    ) throws -> Int32 {
        try DiskFile.make(folder("source"), size: 1 << 20, data: [(0, Data("data".utf8))])
        var options = BackupOptions(
            vm: "pg; touch \(folder("injected"))",
            jobID: "job-1",
            disks: ["\(folder("source"))=\(folder("target"))"]
        )
        options.hubURL = hub?.url
        options.noTelemetry = hub == nil
        options.quiet = true
        options.stateDirectory = folder("state")
        options.snapshotCommand = snapshot
        options.releaseCommand = release
        change(&options)
        let plan = try BackupPlan(options, environment: [:], nowMilliseconds: 0)
        let run = BackupRun(plan: plan, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        stop?(run)
        return run.run()
    }

    private func lines(_ name: String) -> [String] {
        let text = (try? String(contentsOfFile: folder(name), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    private func error(_ hub: ScriptedHub) -> String {
        let failed = hub.requests("telemetry").first { $0.status == "failed" }
        return (failed?.members["error"] as? [String: Any])?["message"] as? String ?? ""
    }

    @Test func `the snapshot comes before the disks, the release after the copy, both told of the backup`()
        throws
    {
        let hub = ScriptedHub()
        defer { hub.stop() }
        // The source is there only once the snapshot is.
        let taken =
            "mv \(folder("source")) \(folder("snap")); echo \"$SENDENSE_HOOK $SENDENSE_VM\" >\(folder("log"))"
        let released =
            "echo \"$SENDENSE_HOOK $SENDENSE_JOB_ID $SENDENSE_BACKUP_TYPE $SENDENSE_OUTCOME "
            + "$SENDENSE_DISK_COUNT $SENDENSE_DISK_0_SOURCE\" >>\(folder("log"))"
        let code = try run(hub, snapshot: taken, release: released) {
            $0.disks = ["\(folder("snap"))=\(folder("target"))"]
        }
        #expect(code == 0)
        #expect(
            lines("log") == [
                "snapshot pg; touch \(folder("injected"))",
                "release job-1 full completed 1 \(folder("snap"))",
            ]
        )
        #expect(!FileManager.default.fileExists(atPath: folder("injected")))
        #expect(try DiskFile.content(folder("snap")) == DiskFile.content(folder("target")))
        let phases = hub.requests("telemetry").map(\.phase)
        #expect(phases.first == "snapshot" && phases.last == "completed")
        let last = hub.requests("telemetry").last?.members
        #expect(last?["total_bytes"] as? Int == 1 << 20 && last?["bytes_transferred"] as? Int == 1 << 20)
    }

    @Test func `a snapshot that fails ends the backup with its cause, and is released`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let release = "echo $SENDENSE_OUTCOME >\(folder("log"))"
        #expect(try run(hub, snapshot: "echo quiesce failed >&2; exit 7", release: release) == 1)
        #expect(error(hub) == "the snapshot command ended with exit status 7: quiesce failed")
        #expect(lines("log") == ["failed"])
        #expect(!FileManager.default.fileExists(atPath: folder("target")))
    }

    @Test func `a release that fails after a good copy keeps the disks' completions and ends with 4`() throws
    {
        let hub = ScriptedHub()
        defer { hub.stop() }
        #expect(try run(hub, release: "echo still locked; exit 1") == 4)
        #expect(error(hub).contains("the copy is complete, but the snapshot was not released"))
        #expect(error(hub).hasSuffix("ended with exit status 1: still locked"))
        #expect(hub.requests.suffix(2).map(\.kind) == ["telemetry", "complete"])
    }

    @Test func `a snapshot that others made is released also where no disk can be opened`() throws {
        #expect(
            try run(nil, release: "echo $SENDENSE_OUTCOME >\(folder("log"))") { $0.disks = ["/none=/none"] }
                == 1
        )
        #expect(lines("log") == ["failed"])
    }

    @Test func `a hook inherits no file of ours, so that none stays locked with what it leaves running`()
        throws
    {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(503, "{}") }
        defer { hub.stop() }
        try DiskFile.make(folder("export"), size: 1 << 20)
        let server = try NBDServer.nbdkit(["file", folder("export")])
        let list = { (name: String) in "readlink /proc/self/fd/* >\(folder(name)); true" }
        let code = try run(hub, snapshot: list("snapshot"), release: list("release")) {
            $0.disks.append("\(folder("source"))=\(server.uri)")
            $0.drainTimeoutSeconds = 0
        }
        #expect(code == 0)
        for name in ["snapshot", "release"] {
            #expect(lines(name).filter { $0.hasPrefix(folder.path) } == [folder(name)])
        }
    }

    @Test func `a hook that takes too long is ended with all that it started`() throws {
        let start = MonotonicClock.nowMilliseconds
        let command = "sh -c 'sleep 60; echo late >\(folder("late"))' & echo $! >\(folder("pid")); wait"
        #expect(try run(nil, snapshot: command) { $0.hookTimeoutSeconds = 1 } == 1)
        #expect(MonotonicClock.nowMilliseconds - start < 10_000)
        let pid = try #require(lines("pid").first.flatMap { Int32($0) })
        // Ended, though perhaps not yet waited for by whoever inherited it.
        #expect(
            eventually {
                (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8))?.contains(") Z ") ?? true
            }
        )
    }

    @Test func `a signal during the snapshot ends it, and what there is of it is released`() throws {
        let begun = folder("begun")
        let code = try run(
            nil,
            snapshot: "touch \(begun); exec sleep 60",
            release: "echo $SENDENSE_OUTCOME >\(folder("log"))",
            stop: { run in
                let cancellation = run.cancellation
                _ = DedicatedThread(name: "stopper") {
                    _ = eventually { FileManager.default.fileExists(atPath: begun) }
                    cancellation.cancel(.signal(15))
                }
            }
        )
        #expect(code == 143)
        #expect(lines("log") == ["cancelled"])
    }

    @Test func `a second signal starts the release and does not wait for it`() throws {
        try DiskFile.make(folder("source"), size: 4096)
        let options = BackupOptions(
            vm: "pg",
            disks: ["\(folder("source"))=\(folder("target"))"],
            releaseCommand: "sleep 0.3; echo $SENDENSE_OUTCOME >\(folder("log"))"
        )
        let plan = try BackupPlan(options, environment: [:], nowMilliseconds: 0)
        let hooks = HookRunner(plan, environment: ["PATH": "/usr/bin:/bin"], logger: Logger(label: "test"))
        hooks.begin()
        let start = MonotonicClock.nowMilliseconds
        let process = try #require(hooks.releaseAtOnce())
        #expect(MonotonicClock.nowMilliseconds - start < 250)
        #expect(eventually { lines("log") == ["cancelled"] })
        #expect(hooks.release(outcome: "failed") == nil)
        #expect(lines("log") == ["cancelled"])
        // A child that nobody takes leave of keeps the test library's own watch for children spinning.
        #expect(waitpid(process, nil, 0) == process)
    }

    @Test func `a hub that will not have the job spares the snapshot`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(409, #"{"job_status":"completed","attempt":1}"#) }
        defer { hub.stop() }
        let mark = "touch \(folder("mark"))"
        #expect(try run(hub, snapshot: mark, release: mark) == 3)
        #expect(!FileManager.default.fileExists(atPath: folder("mark")))
    }

    @Test func `output comes line by line, cut to size, and a process left behind does not hold it up`() {
        let lines = Mutex<[String]>([])
        let process = HookProcess(
            command: .program([
                "/bin/sh", "-c", "sleep 30 & printf 'a\\nb'; head -c 9000 /dev/zero | tr '\\0' x",
            ]),
            environment: ["PATH": "/usr/bin:/bin"],
            timeoutMilliseconds: 10_000
        )
        let start = MonotonicClock.nowMilliseconds
        let outcome = process.run(isStopped: { false }) { line in lines.withLock { $0.append(line) } }
        #expect(outcome == .exited(0))
        #expect(MonotonicClock.nowMilliseconds - start < 5000)
        #expect(lines.withLock { $0.map(\.utf8.count) } == [1, 4096])
        let missing = HookProcess(command: .program(["/none"]), environment: [:], timeoutMilliseconds: 1000)
        #expect(missing.run(isStopped: { false }, onLine: { _ in }) == .notStarted(ENOENT))
    }
}
