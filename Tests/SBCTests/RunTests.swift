import Foundation
import Logging
import Testing
import Threading

@testable import SBC

/// A whole backup in this process: real files, a real server, the real exit code.
@Suite(.serialized) struct RunTests {
    private let folder = TemporaryFolder()

    private func run(
        _ hub: ScriptedHub?,
        _ disks: [(String, String)],
        _ change: (inout BackupOptions) -> Void = { _ in }
    ) throws -> Int32 {
        var options = BackupOptions(vm: "pg", jobID: "job-1", disks: disks.map { "\($0.0)=\($0.1)" })
        options.hubURL = hub?.url ?? "http://127.0.0.1:9"
        options.noTelemetry = hub == nil
        options.quiet = true
        options.stateDirectory = folder("state")
        options.drainTimeoutSeconds = 5
        change(&options)
        let environment = ["SENDENSE_SBC_REPORT_INTERVAL_MS": "100"]
        let plan = try BackupPlan(options, environment: environment, nowMilliseconds: 0)
        return BackupRun(plan: plan, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }).run()
    }

    private func makeDisks() throws -> [(String, String)] {
        var random = SplitMix64(seed: 20)
        try DiskFile.make(folder("a"), size: 9 << 20, data: [(3 << 20, random.bytes(1 << 20))])
        try DiskFile.make(folder("b"), size: 1_000_001, data: [(0, random.bytes(1_000_001))])
        return [(folder("a"), folder("ta")), (folder("b"), folder("tb"))]
    }

    @Test func `a backup copies, reports itself whole and ends with 0; the next run is another attempt`()
        throws
    {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(200, #"{"status":"success"}"#) }
        defer { hub.stop() }
        let disks = try makeDisks()
        #expect(try run(hub, disks) == 0)
        for (source, target) in disks { #expect(try DiskFile.content(source) == DiskFile.content(target)) }
        let requests = hub.requests
        #expect(requests.first?.kind == "register")
        #expect(requests.suffix(4).map(\.kind) == ["telemetry", "complete", "complete", "telemetry"])
        #expect(requests.suffix(4).first?.phase == "finalizing")
        #expect(requests.last?.status == "completed")
        let total = (9 << 20) + 1_000_001
        #expect(requests.last?.members["bytes_transferred"] as? Int == total)
        #expect(
            hub.requests("complete").map { $0.members["bytes_transferred"] as? Int } == [9 << 20, 1_000_001]
        )
        let seqs = hub.requests("telemetry").map(\.seq)
        #expect(seqs == Array(Set(seqs)).sorted())
        #expect(try run(hub, disks) == 0)
        #expect(hub.requests("register").map(\.attempt) == [1, 2])
        #expect(try run(hub, disks) { $0.attempt = 9 } == 0)
        #expect(hub.requests("register").last?.attempt == 9)
    }

    @Test func `without telemetry nothing is sent and the copy is the same`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let disks = try makeDisks()
        #expect(try run(hub, disks) { $0.noTelemetry = true } == 0)
        #expect(hub.requests.isEmpty)
        #expect(try DiskFile.content(folder("a")) == DiskFile.content(folder("ta")))
    }

    @Test func `a source that cannot be opened is told to the hub and ends with 1`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let disks = try makeDisks()
        #expect(try run(hub, [disks[0], (folder("none"), folder("t"))]) == 1)
        let registered = hub.requests("register").first?.members["disks"] as? [[String: Any]]
        #expect(registered?.last?["total_bytes"] is NSNull)
        let last = try #require(hub.requests.last)
        #expect(last.status == "failed")
        let message = (last.members["error"] as? [String: Any])?["message"] as? String ?? ""
        #expect(message.contains("disk 1") && message.contains(folder("none")))
        #expect(hub.requests("complete").isEmpty)
    }

    @Test func `a job that is completed on the hub ends with 3 and touches no target`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(409, #"{"job_status":"completed","attempt":1}"#) }
        defer { hub.stop() }
        let disks = try makeDisks()
        try DiskFile.make(folder("ta"), size: 3, data: [(0, Data("old".utf8))])
        #expect(try run(hub, disks) == 3)
        #expect(try DiskFile.content(folder("ta")) == Data("old".utf8))
    }

    @Test func `a hub that hangs or is away does not hold up the copy, whose exit code is 0`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(delayMilliseconds: 20_000) }
        defer { hub.stop() }
        let disks = try makeDisks()
        let start = MonotonicClock.nowMilliseconds
        #expect(try run(hub, disks) { $0.drainTimeoutSeconds = 0 } == 0)
        // The copy waits 2 s for the hub's first word; the request in flight is given up, and nothing is lost.
        #expect(MonotonicClock.nowMilliseconds - start < 6000)
        #expect(try !FileManager.default.contentsOfDirectory(atPath: folder("state/spool")).isEmpty)
        #expect(try DiskFile.content(folder("b")) == DiskFile.content(folder("tb")))
        #expect(
            try run(nil, disks) {
                $0.noTelemetry = false; $0.drainTimeoutSeconds = 0
            } == 0
        )
    }

    @Test func `a signal stops the copy, is told as cancelled and ends with 128 and its number`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let disks = try makeDisks()
        let options = BackupOptions(
            vm: "pg",
            jobID: "job-1",
            disks: disks.map { "\($0.0)=\($0.1)" },
            hubURL: hub.url,
            rateLimit: "100K",
            quiet: true,
            stateDirectory: folder("state")
        )
        let plan = try BackupPlan(options, environment: [:], nowMilliseconds: 0)
        let run = BackupRun(plan: plan, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let cancellation = run.cancellation
        let stopper = DedicatedThread(name: "stopper") {
            _ = eventually { hub.requests("telemetry").contains { $0.phase == "transferring" } }
            cancellation.cancel(.signal(15))
        }
        #expect(run.run() == 143)
        stopper.join()
        #expect(hub.requests.last?.status == "cancelled")
        #expect(hub.requests("complete").isEmpty)
    }

    @Test func `two runs of one job at once are not allowed`() throws {
        let store = AttemptStore(directory: folder("state"), jobID: "job-1")
        try store.makeDirectory()
        let lock = try store.lock()
        #expect(try run(nil, try makeDisks()) == 2)
        #expect(lock != nil)
    }
}
