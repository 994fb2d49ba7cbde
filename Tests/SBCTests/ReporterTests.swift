import Foundation
import Logging
import Synchronization
import Testing
import Threading

@testable import SBC

/// The reporter's thread against a real server on loopback that misbehaves as told.
@Suite(.serialized) struct ReporterTests {
    private let counters = JobCounters(totals: [1000, 1000])
    private let cancellation = Cancellation()

    private func reporter(
        _ hub: ScriptedHub,
        intervalMilliseconds: Int64 = 60_000,
        attempt: Int64 = 1,
        saveState: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }
    ) -> Reporter {
        let reporter = Reporter(
            writer: MessageWriter(
                identity: JobIdentity(jobID: "job-1", vmName: "pg", backupType: "full", repositoryID: nil),
                totals: [1000, 1000]
            ),
            counters: counters,
            settings: Reporter.Settings(
                hub: HubAccess(url: hub.url),
                intervalMilliseconds: intervalMilliseconds,
                tickMilliseconds: 10
            ),
            attempt: attempt,
            cancellation: cancellation,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            saveState: saveState
        )
        reporter.start()
        return reporter
    }

    /// Tells of a whole job of two disks.
    private func runJob(_ reporter: Reporter) {
        reporter.post(.phase)
        counters.phase = .transferring
        reporter.post(.phase)
        for disk in counters.disks {
            disk.set(.transferring)
            disk.add(moved: 400, dealt: 400)
            disk.add(moved: 0, dealt: 600)
            disk.set(.completed)
            reporter.post(.diskCompleted)
        }
        counters.phase = .finalizing
        reporter.post(.phase)
        for index in 0..<2 {
            reporter.post(.completion(diskIndex: index, changeID: "c\(index)", bytes: 1000))
        }
        counters.phase = .completed
        reporter.post(.completed)
    }

    /// What the hub took, in short: each request once, retries left out.
    private func story(_ requests: [ScriptedHub.Request]) -> [String] {
        var story: [String] = []
        for request in requests {
            let word =
                switch request.kind {
                case "register": "register"
                case "complete": "complete \(request.members["disk_id"] ?? "?")"
                default: "\(request.seq) \(request.status) \(request.phase)"
                }
            if story.last != word { story.append(word) }
        }
        return story
    }

    private let whole = [
        "register", "1 running snapshot", "2 running transferring", "3 running transferring",
        "4 running transferring", "5 running finalizing", "complete 0", "complete 1", "6 completed completed",
    ]

    @Test func `a job is told from registration to end, in order, over one connection`() {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let reporter = reporter(hub)
        runJob(reporter)
        let summary = reporter.finish(drainMilliseconds: 5000)
        #expect(story(hub.requests) == whole)
        #expect(Set(hub.requests.map(\.connection)).count == 1)
        #expect(summary.sentCount == 6 && summary.undeliveredCount == 0 && summary.droppedCount == 0)
        #expect(summary.failedTryCount == 0 && summary.lastSeq == 6)
        let last = hub.requests.last?.members
        #expect(last?["bytes_transferred"] as? Int == 2000)
        #expect(last?["progress_percent"] as? Double == 100)
        #expect((last?["disks"] as? [Any])?.count == 2)
    }

    @Test func `refusals for now, resets and slow answers lose no transition and change no order`() {
        let hub = ScriptedHub { _, index in
            switch index {
            case 0: .reset
            case 2: ScriptedHub.Reply(503, "{}", headers: ["Retry-After: 1"])
            case 4, 5: ScriptedHub.Reply(500, "oops")
            case 7: .reset
            case 9: ScriptedHub.Reply(429, "")
            case 11: ScriptedHub.Reply(delayMilliseconds: 300)
            default: .ok
            }
        }
        defer { hub.stop() }
        let reporter = reporter(hub)
        runJob(reporter)
        let summary = reporter.finish(drainMilliseconds: 20_000)
        #expect(story(hub.requests) == whole)
        #expect(summary.sentCount == 6 && summary.undeliveredCount == 0)
        // libcurl itself repeats what a kept connection lost before its answer began.
        #expect((5...6).contains(summary.failedTryCount))
        // Request 2 was told to come again after a second.
        let requests = hub.requests
        #expect(requests[3].atMilliseconds - requests[2].atMilliseconds >= 990)
        // The same again, but for how long ago it was.
        var again = requests[3].members
        #expect((990...10_000).contains(again.removeValue(forKey: "age_ms") as? Int ?? 0))
        #expect(again as NSDictionary == requests[2].members as NSDictionary)
    }

    @Test func `while the hub does not answer, progress is one message and the copy goes on`() {
        let isUp = Atomic<Bool>(false)
        let hub = ScriptedHub { _, _ in
            isUp.load(ordering: .acquiring) ? .ok : ScriptedHub.Reply(503, "{}", delayMilliseconds: 50)
        }
        defer { hub.stop() }
        let reporter = reporter(hub, intervalMilliseconds: 50)
        reporter.post(.phase)
        counters.phase = .transferring
        let start = MonotonicClock.nowNanoseconds
        reporter.post(.phase)
        for _ in 0..<1000 { counters.disks[0].add(moved: 1, dealt: 1) }
        // Posting and counting touch no socket.
        #expect(MonotonicClock.nowNanoseconds - start < 100_000_000)
        usleep(800_000)
        isUp.store(true, ordering: .releasing)
        #expect(eventually { hub.requests("telemetry").contains { $0.seq > 2 } })
        let summary = reporter.finish(drainMilliseconds: 5000)
        #expect(summary.undeliveredCount == 0)
        let seqs = hub.requests("telemetry").map(\.seq)
        #expect(seqs == seqs.sorted())
        // Some 16 progress messages came due in the dark; of them only the newest was sent.
        let firstProgress = seqs.first { $0 > 2 } ?? 0
        #expect(firstProgress > 4, "\(seqs)")
        let told = hub.requests("telemetry").last?.members["bytes_transferred"] as? Int
        #expect(told == 1000)
    }

    @Test func `progress comes at the interval`() {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let reporter = reporter(hub, intervalMilliseconds: 200)
        reporter.post(.phase)
        #expect(eventually { hub.requests("telemetry").count >= 6 })
        _ = reporter.finish(drainMilliseconds: 1000)
        let times = hub.requests("telemetry").map(\.atMilliseconds)
        for (earlier, later) in zip(times, times.dropFirst()) {
            #expect((150...1200).contains(later - earlier))
        }
    }

    @Test func `a failure is told within a second, with its message`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let reporter = reporter(hub)
        reporter.post(.phase)
        #expect(eventually { hub.requests("telemetry").count == 1 })
        let failedAt = MonotonicClock.nowMilliseconds
        counters.disks[1].set(.failed)
        reporter.post(.failed("disk 1: cannot read the source /s at offset 4096"))
        #expect(eventually { hub.requests("telemetry").count == 2 })
        let request = try #require(hub.requests("telemetry").last)
        #expect(request.atMilliseconds - failedAt < 1000)
        #expect(request.status == "failed")
        let error = request.members["error"] as? [String: Any]
        #expect(error?["message"] as? String == "disk 1: cannot read the source /s at offset 4096")
        reporter.post(.diskCompleted)
        _ = reporter.finish(drainMilliseconds: 1000)
        #expect(hub.requests("telemetry").count == 2)
    }

    @Test func `a client that lost its state registers the attempt after the stored one`() {
        let hub = ScriptedHub { request, _ in
            request.kind == "register" && request.attempt == 1
                ? ScriptedHub.Reply(200, #"{"job_status":"failed","attempt":1,"stored_seq":9}"#)
                : ScriptedHub.Reply(201, #"{"attempt":2,"stored_seq":0}"#)
        }
        defer { hub.stop() }
        let saved = Mutex<[Int64]>([])
        let reporter = reporter(hub) { attempt, _ in saved.withLock { $0.append(attempt) } }
        reporter.waitForRegistration(milliseconds: 5000)
        #expect(hub.requests("register").map(\.attempt) == [1, 2])
        runJob(reporter)
        let summary = reporter.finish(drainMilliseconds: 5000)
        #expect(summary.attempt == 2)
        #expect(hub.requests("telemetry").allSatisfy { $0.attempt == 2 })
        #expect(hub.requests("complete").allSatisfy { $0.attempt == 2 })
        #expect(saved.withLock { $0.last } == 2)
    }

    @Test func `a hub that forgot the job is told again, and the update follows`() {
        let hub = ScriptedHub { _, index in
            index == 2 ? ScriptedHub.Reply(404, #"{"detail":"unknown job"}"#) : .ok
        }
        defer { hub.stop() }
        let reporter = reporter(hub)
        runJob(reporter)
        let summary = reporter.finish(drainMilliseconds: 5000)
        #expect(summary.droppedCount == 0 && summary.sentCount == 6)
        #expect(
            hub.requests.prefix(5).map(\.kind) == [
                "register", "telemetry", "telemetry", "register", "telemetry",
            ]
        )
        #expect(hub.requests[4].seq == hub.requests[2].seq)
    }

    @Test func `a completed job is refused before anything is copied`() {
        let hub = ScriptedHub { _, _ in
            ScriptedHub.Reply(409, #"{"job_status":"completed","attempt":1,"detail":"terminal"}"#)
        }
        defer { hub.stop() }
        let reporter = reporter(hub)
        reporter.post(.phase)
        reporter.waitForRegistration(milliseconds: 5000)
        guard case .refusedByHub(let reason) = cancellation.reason else {
            Issue.record("not refused: \(String(describing: cancellation.reason))")
            return
        }
        #expect(reason.contains("already completed"))
        let summary = reporter.finish(drainMilliseconds: 1000)
        #expect(summary.refusal == reason)
        #expect(hub.requests("telemetry").isEmpty)
    }

    @Test func `a cancel in the answer stops the copy, and the end is told as cancelled`() {
        let hub = ScriptedHub { request, _ in
            request.kind == "telemetry" && request.status == "running"
                ? ScriptedHub.Reply(409, #"{"job_status":"cancelled","command":"cancel"}"#) : .ok
        }
        defer { hub.stop() }
        let reporter = reporter(hub)
        reporter.post(.phase)
        #expect(eventually { cancellation.reason == .cancelledByHub })
        reporter.post(.cancelled)
        let summary = reporter.finish(drainMilliseconds: 5000)
        #expect(hub.requests.last?.status == "cancelled")
        #expect(summary.sentCount == 1)
    }

    @Test func `a hub that is away costs the drain's time and is counted`() {
        let hub = ScriptedHub()
        hub.stop()
        let reporter = reporter(hub)
        reporter.waitForRegistration(milliseconds: 5000)
        runJob(reporter)
        let start = MonotonicClock.nowMilliseconds
        let summary = reporter.finish(drainMilliseconds: 700)
        #expect(MonotonicClock.nowMilliseconds - start < 5000)
        #expect(summary.sentCount == 0)
        // Registration, six updates but for none of progress, two completions.
        #expect(summary.undeliveredCount == 9)
    }
}
