import ArgumentParser
import Foundation
import Glibc
import Logging
import Synchronization
import Testing
import Threading

@testable import SBC

/// The spool: files, locks, and their delivery to a real server.
@Suite(.serialized) struct SpoolTests {
    private let folder = TemporaryFolder()
    private var state: String { folder("state") }
    private var spool: Spool { Spool(stateDirectory: state) }

    private func report(
        _ job: String,
        attempt: Int64 = 1,
        startedAt: Int64 = 1_700_000_000_000
    ) -> SpooledReport {
        func update(_ seq: Int64, _ status: ReportedStatus, _ phase: Phase, _ bytes: Int64) -> Outgoing {
            Outgoing(
                content: .telemetry(
                    TelemetryUpdate(
                        seq: seq,
                        status: status,
                        progress: progress(phase, bytes),
                        speed: seq == 2 ? 77 : nil,
                        etaSeconds: nil,
                        error: nil,
                        atMilliseconds: startedAt + seq * 1000
                    )
                )
            )
        }
        return SpooledReport(
            identity: JobIdentity(
                jobID: job,
                vmName: "pg",
                backupType: "full",
                repositoryID: "repo",
                hubColumns: [HubColumn("vm_context_id=a=\"b\"")].compactMap { $0 }
            ),
            totals: [100, nil],
            attempt: attempt,
            seqSentMax: 0,
            startedAtMilliseconds: startedAt,
            endedAtMilliseconds: startedAt + 4000,
            messages: [
                Outgoing(content: .registration, atMilliseconds: 5), update(1, .running, .snapshot, 0),
                update(2, .running, .transferring, 40),
                Outgoing(
                    content: .completion(diskIndex: 0, changeID: "52 66/5440", bytes: 100),
                    atMilliseconds: 7
                ),
                update(3, .completed, .completed, 100),
            ]
        )
    }

    private func write(_ report: SpooledReport) throws {
        _ = try spool.write(report)
    }

    @discardableResult
    private func flush(_ hub: ScriptedHub, milliseconds: Int64 = 10_000) -> Int32 {
        FlushRun(
            access: HubAccess(url: hub.url),
            stateDirectory: state,
            timeoutMilliseconds: milliseconds,
            style: .none
        ).run(Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func run(_ hub: ScriptedHub?, job: String = "job-1", drainSeconds: Int = 5) throws -> Int32 {
        try DiskFile.make(folder("source"), size: 3_000_000, data: [(0, Data("data".utf8))])
        var options = BackupOptions(vm: "pg", jobID: job, disks: ["\(folder("source"))=\(folder("target"))"])
        options.hubURL = hub?.url ?? "http://127.0.0.1:9"
        options.quiet = true
        options.stateDirectory = state
        options.drainTimeoutSeconds = drainSeconds
        let plan = try BackupPlan(options, environment: [:], nowMilliseconds: 0)
        return BackupRun(plan: plan, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }).run()
    }

    private func refused() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: spool.refusedDirectory).sorted()
    }

    @Test func `a file holds the whole report, for its owner only`() throws {
        let report = report("backup/ä \"1\"")
        try write(report)
        let entry = try #require(try spool.entries().first)
        guard case .claimed(let claim) = try spool.claim(entry) else {
            Issue.record("not claimed")
            return
        }
        #expect(spool.report(claim) == report)
        let mode = try FileManager.default.attributesOfItem(atPath: "\(spool.directory)/\(entry.name)")
        #expect(mode[.posixPermissions] as? Int == 0o600)
    }

    @Test func `a beginning that nobody knows stays unknown, also in a file`() throws {
        var report = report("job-1")
        report.startedAtMilliseconds = nil
        report.messages[0].atMilliseconds = nil
        let claim = try spool.write(report)
        let text = try String(contentsOfFile: "\(spool.directory)/\(claim.entry.name)", encoding: .utf8)
        // As every version has written it.
        #expect(text.contains(#""started_at_ms":0,"#))
        #expect(spool.report(claim) == report)
    }

    @Test func `a claimed report is nobody else's, also once it is rewritten`() throws {
        let report = report("job-1")
        let claim = try spool.write(report)
        func outcome() throws -> String { "\(try spool.claim(claim.entry))".components(separatedBy: "(")[0] }
        #expect(try outcome() == "busy")
        let second = try spool.rewrite(claim, with: report)
        #expect(try outcome() == "busy")
        try spool.remove(second)
        #expect(try outcome() == "gone")
    }

    @Test func `what no hub heard is delivered by flush with the attempt, numbers and times of then`() throws
    {
        #expect(try run(nil, drainSeconds: 1) == 0)
        #expect(try spool.entries().count == 1)
        let endedAt = Date()
        usleep(1_200_000)
        let hub = ScriptedHub()
        defer { hub.stop() }
        #expect(flush(hub) == 0)
        #expect(try spool.entries() == [])
        let requests = hub.requests
        #expect(requests.first?.kind == "register" && requests.last?.status == "completed")
        #expect(requests.allSatisfy { $0.attempt == 1 })
        #expect(hub.requests("complete").count == 1)
        let telemetry = hub.requests("telemetry")
        #expect(telemetry.map(\.seq) == telemetry.map(\.seq).sorted())
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for request in telemetry {
            let time = try Date(request.members["timestamp"] as? String ?? "", strategy: format)
            #expect(time <= endedAt)
        }
        // The registration was tried, so that run has used its attempt.
        #expect(try run(hub) == 0)
        #expect(hub.requests("register").map(\.attempt) == [1, 2])
    }

    @Test func `while the hub fails a running job's transitions are on disk, and only that run's to send`()
        throws
    {
        let counters = JobCounters(totals: [1000])
        let identity = JobIdentity(jobID: "job-1", vmName: "pg", backupType: "full")
        let reporter = Reporter(
            writer: MessageWriter(identity: identity, totals: [1000]),
            counters: counters,
            settings: Reporter.Settings(hub: HubAccess(url: "http://127.0.0.1:9"), stateDirectory: state),
            attempt: 1,
            cancellation: Cancellation(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            saveState: { _, _ in }
        )
        reporter.start()
        reporter.post(.phase)
        #expect(eventually { (try? spool.entries().count) == 1 })
        let hub = ScriptedHub()
        defer { hub.stop() }
        #expect(flush(hub) == 1)
        #expect(hub.requests.isEmpty)
        reporter.post(.cancelled)
        #expect(reporter.finish(drainMilliseconds: 0).spooledCount == 3)
        // Its process is over for us only once nothing holds the file.
        #expect(eventually { flush(hub) == 0 })
        #expect(hub.requests.map(\.status) == ["", "running", "cancelled"])
    }

    @Test func `a later run delivers its own job's past first, other jobs' last`() throws {
        try write(report("other"))
        try write(report("job-1", attempt: 1))
        try AttemptStore(directory: state, jobID: "job-1").save(AttemptRecord(attempt: 1, lastSeq: 3))
        let hub = ScriptedHub()
        defer { hub.stop() }
        #expect(try run(hub) == 0)
        let jobs = hub.requests.map { request in
            let job = request.path.contains("other") || request.body.contains("\"other\"") ? "other" : "job-1"
            return "\(job) \(request.attempt)"
        }
        var order: [String] = []
        for job in jobs where order.last != job { order.append(job) }
        #expect(order == ["job-1 1", "job-1 2", "other 1"])
        #expect(try spool.entries() == [])
    }

    @Test func `a job's reports keep their order; one that another process has holds up the later ones`()
        throws
    {
        try write(report("job-1", attempt: 2))
        let first = try spool.write(report("job-1", attempt: 1))
        try write(report("job-2"))
        let hub = ScriptedHub()
        defer { hub.stop() }
        #expect(flush(hub) == 1)
        #expect(hub.requests.allSatisfy { $0.path.contains("job-2") || $0.body.contains("job-2") })
        withExtendedLifetime(first) {}
        #expect(try spool.entries().count == 2)
    }

    @Test func `two at once send nothing twice`() throws {
        for number in 0..<12 { try write(report("job-\(number)")) }
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(delayMilliseconds: 2) }
        defer { hub.stop() }
        let threads = (0..<3).map { number in
            DedicatedThread(name: "flush-\(number)") { [self] in flush(hub) }
        }
        for thread in threads { thread.join() }
        #expect(flush(hub) == 0)
        #expect(hub.requests.count == 12 * 5)
        #expect(Set(hub.requests.map { "\($0.path) \($0.body)" }).count == 12 * 5)
    }

    @Test(arguments: [404, 409, 410, 413, 422])
    func `what is refused for good is set aside with the reason, and moved back it is sent again`(
        status: Int
    ) throws {
        try write(report("job-1"))
        let isWilling = Atomic<Bool>(false)
        let hub = ScriptedHub { request, _ in
            request.kind == "complete" && !isWilling.load(ordering: .acquiring)
                ? ScriptedHub.Reply(status, #"{"detail":"no such disk"}"#) : .ok
        }
        defer { hub.stop() }
        #expect(flush(hub) == 1)
        #expect(try spool.entries() == [])
        let name = try #require(try refused().first)
        let text = try String(contentsOfFile: "\(spool.refusedDirectory)/\(name)", encoding: .utf8)
        #expect(
            text.contains("HTTP \(status)") && text.contains("no such disk") && text.contains("52 66/5440")
        )
        #expect(flush(hub) == 0)
        isWilling.store(true, ordering: .releasing)
        let count = hub.requests("complete").count
        try FileManager.default.moveItem(
            atPath: "\(spool.refusedDirectory)/\(name)",
            toPath: "\(spool.directory)/\(name)"
        )
        #expect(flush(hub) == 0)
        #expect(hub.requests("complete").count == count + 1)
    }

    @Test func `an older report does not push a newer run aside`() throws {
        try write(report("job-1", attempt: 1))
        try AttemptStore(directory: state, jobID: "job-1").save(AttemptRecord(attempt: 2, lastSeq: 9))
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(409, #"{"job_status":"running","attempt":2}"#) }
        defer { hub.stop() }
        #expect(flush(hub) == 1)
        #expect(hub.requests.map(\.attempt) == [1])
        #expect(try refused().count == 1)
    }

    @Test func `a hub that is away leaves all as it was, one that comes back gets the rest`() throws {
        try write(report("job-1"))
        let hub = ScriptedHub { _, index in index < 2 ? .ok : ScriptedHub.Reply(503, "{}") }
        #expect(flush(hub, milliseconds: 600) == 1)
        hub.stop()
        let later = ScriptedHub()
        defer { later.stop() }
        #expect(flush(later) == 0)
        #expect(later.requests.map(\.kind) == ["telemetry", "complete", "telemetry"])
    }

    @Test func `what the hub refuses of a run under way is set aside with the reason`() throws {
        let hub = ScriptedHub { request, _ in
            request.kind == "complete" ? ScriptedHub.Reply(422, #"{"detail":"no such disk"}"#) : .ok
        }
        defer { hub.stop() }
        #expect(try run(hub) == 0)
        let name = try #require(try refused().first)
        let text = try String(contentsOfFile: "\(spool.refusedDirectory)/\(name)", encoding: .utf8)
        #expect(text.contains("no such disk") && text.contains("completion") && !text.contains("telemetry"))
        #expect(try spool.entries() == [])
    }

    @Test func `what the hub refused of a run that it then left alone is spooled with the rest`() throws {
        let isWilling = Atomic<Bool>(false)
        let hub = ScriptedHub { request, _ in
            if isWilling.load(ordering: .acquiring) { return .ok }
            if request.kind == "complete" { return ScriptedHub.Reply(422, "{}") }
            return request.status == "completed" ? ScriptedHub.Reply(503, "{}") : .ok
        }
        defer { hub.stop() }
        #expect(try run(hub, drainSeconds: 1) == 0)
        #expect(try spool.entries().count == 1)
        isWilling.store(true, ordering: .releasing)
        #expect(flush(hub) == 0)
        #expect(hub.requests.suffix(2).map(\.kind) == ["complete", "telemetry"])
    }

    @Test(arguments: ["dealt", "moved", "total", "data", "at"])
    func `a file with numbers that cannot be meant is damaged, and ends nothing`(member: String) throws {
        try write(report("job-1"))
        try write(report("job-2"))
        let entry = try #require(try spool.entries().first)
        let url = URL(fileURLWithPath: "\(spool.directory)/\(entry.name)")
        let text = try String(contentsOf: url, encoding: .utf8)
            .replacing(try Regex("\"\(member)\":[0-9]+"), with: "\"\(member)\":9223372036854775807")
        try Data(text.utf8).write(to: url)
        let hub = ScriptedHub()
        defer { hub.stop() }
        #expect(flush(hub) == 1)
        #expect(try refused() == [entry.name + ".damaged"])
        #expect(hub.requests.count == 5)
    }

    @Test func `a damaged file is set aside as it is`() throws {
        try write(report("job-1"))
        let entry = try #require(try spool.entries().first)
        try Data("{\"version\":1".utf8).write(to: URL(fileURLWithPath: "\(spool.directory)/\(entry.name)"))
        let hub = ScriptedHub()
        defer { hub.stop() }
        #expect(flush(hub) == 1)
        #expect(try refused() == [entry.name + ".damaged"])
        #expect(flush(hub) == 0)
    }

    @Test func `the token goes along, and one that was renewed is taken up`() throws {
        try write(report("job-1"))
        let token = folder("token")
        try Data(" first\n".utf8).write(to: URL(fileURLWithPath: token))
        let hub = ScriptedHub { request, _ in
            request.headers.contains("Authorization: Bearer second") ? .ok : ScriptedHub.Reply(401, "{}")
        }
        defer { hub.stop() }
        let access = try HubAccess(url: hub.url, tokenFile: token, caFile: nil, [:])
        let renewer = DedicatedThread(name: "renewer") {
            _ = eventually { !hub.requests.isEmpty }
            try? Data("second\n".utf8).write(to: URL(fileURLWithPath: token))
        }
        let run = FlushRun(access: access, stateDirectory: state, timeoutMilliseconds: 10_000, style: .none)
        #expect(run.run(Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) == 0)
        renewer.join()
        #expect(hub.requests.first?.headers.contains("Authorization: Bearer first") == true)
    }

    @Test func `a token from a pipe, which can be read once, goes along`() throws {
        try write(report("job-1"))
        let pipe = folder("token")
        #expect(unsafe mkfifo(pipe, 0o600) == 0)
        let writer = DedicatedThread(name: "token") {
            try? Data("from-a-pipe\n".utf8).write(to: URL(fileURLWithPath: pipe))
        }
        let hub = ScriptedHub { request, number in
            // The first answer makes it look for a token that was renewed.
            number > 0 && request.headers.contains("Authorization: Bearer from-a-pipe")
                ? .ok : ScriptedHub.Reply(401, "{}")
        }
        defer { hub.stop() }
        let access = try HubAccess(url: hub.url, tokenFile: pipe, caFile: nil, [:])
        writer.join()
        let run = FlushRun(access: access, stateDirectory: state, timeoutMilliseconds: 10_000, style: .none)
        #expect(run.run(Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) == 0)
    }

    @Test func `a token never crosses the network in the clear`() throws {
        let token = folder("token")
        try Data("secret".utf8).write(to: URL(fileURLWithPath: token))
        for url in [
            "http://hub.example:8082", "http://127.evil.example", "http://127.1", "http://localhost.example",
        ] {
            #expect(throws: UsageError.self, "\(url)") {
                try HubAccess(url: url, tokenFile: token, caFile: nil, [:])
            }
        }
        for url in [
            "https://hub.example", "http://localhost:8082", "http://[::1]:8082", "http://127.0.0.1",
            "http://127.9.9.9:1",
        ] {
            #expect(try HubAccess(url: url, tokenFile: token, caFile: nil, [:]).tokenFile == token)
        }
    }

    @Test func `addresses and authorities that are none are refused, and no password is shown`() throws {
        let access = { (url: String, file: String?) throws(UsageError) in
            try HubAccess(url: url, tokenFile: nil, caFile: file, [:])
        }
        for port in ["0", "65536", "99999"] {
            let error = #expect(throws: UsageError.self) { try access("http://u:pw@127.0.0.1:\(port)", nil) }
            #expect(error?.description.contains("pw") == false)
        }
        let secret = try access("https://u:p@ss@hub.example/api", nil)
        #expect(secret.shownURL == "https://***@hub.example/api" && secret.url.contains("p@ss") == true)
        let file = folder("ca")
        let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
        for (content, isGood) in [
            ("", false), ("\0\u{1}garbage", false), (pem, true), (pem + pem, true),
            (pem.replacing("MAA=", with: "!!"), false), (pem.replacing("MAA=", with: "AAAA"), false),
        ] {
            try Data(content.utf8).write(to: URL(fileURLWithPath: file))
            #expect(((try? access("https://hub", file)) != nil) == isGood, "\(content)")
        }
    }

    @Test(arguments: [200, 204, 301, 403, 404, 405])
    func `what is no hub empties no spool`(status: Int) throws {
        try write(report("job-1"))
        let page = status == 204 ? "" : "<html>Sign in</html>"
        let other = ScriptedHub { _, _ in ScriptedHub.Reply(status, page) }
        defer { other.stop() }
        #expect(flush(other, milliseconds: 1000) == 1)
        #expect(try Spool(stateDirectory: state).entries().count == 1)
        #expect(!FileManager.default.fileExists(atPath: Spool(stateDirectory: state).refusedDirectory))
        let hub = ScriptedHub()
        defer { hub.stop() }
        #expect(flush(hub) == 0)
        #expect(!hub.requests.isEmpty)
    }

    @Test func `what is remembered of old jobs goes, unless it is in use or reports wait`() throws {
        for job in ["old", "waiting", "running", "new"] {
            let store = AttemptStore(directory: state, jobID: job)
            try store.makeDirectory()
            try store.save(AttemptRecord(attempt: 1, lastSeq: 1))
            _ = try store.lock()
        }
        try write(report("waiting"))
        let running = try AttemptStore(directory: state, jobID: "running").lock()
        let now = Int(Date().timeIntervalSince1970)
        let left = {
            try FileManager.default.contentsOfDirectory(atPath: state)
                .filter { $0.hasSuffix(".json") }.sorted()
        }
        AttemptStore.tidy(state, nowSeconds: now)
        #expect(try left() == ["new.json", "old.json", "running.json", "waiting.json"])
        AttemptStore.tidy(state, nowSeconds: now + 15 * 86_400)
        #expect(try left() == ["running.json", "waiting.json"])
        #expect(running != nil)
    }

    @Test func `flush names what it does not send`() throws {
        try write(report("job-1"))
        let spool = Spool(stateDirectory: state)
        try Data().write(to: URL(fileURLWithPath: spool.directory + "/moved.json"))
        #expect(spool.strangers == ["moved.json"])
        let hub = ScriptedHub()
        defer { hub.stop() }
        let program = client([
            "flush", "--state-dir", state, "--hub-url", hub.url, "--quiet", "--log-file", folder("log"),
        ])
        let errors = Pipe()
        program.standardError = errors
        try program.run()
        let said = try errors.fileHandleForReading.readToEnd() ?? Data()
        program.waitUntilExit()
        #expect(program.terminationStatus == 0)
        #expect(String(decoding: said, as: UTF8.self).contains("/spool/moved.json is not sent"))
        #expect(spool.strangers == ["moved.json"])
    }

    @Test func `flush of a state folder that is not there is bad input`() throws {
        let flush = try Flush.parse(["--state-dir", folder("typo"), "--quiet", "--log-file", folder("log")])
        let code = #expect(throws: ExitCode.self) { try flush.run() }
        #expect(code?.rawValue == 2)
    }

    @Test func `control characters do not reach a terminal`() {
        #expect(Output.escaped("a\u{1B}[2J\u{9B}1m\r\nü") == "a\\u{1B}[2J\\u{9B}1m\\u{D}\\u{A}ü")
    }
}
