import StackSupport
import Database
import Foundation
import Synchronization
import TestSupport
import Testing

/// The earlier detector read the silent jobs first and then wrote their new status by id alone.
extension EndToEndTests.WentWrongStaleTests {
    @Test func `8: a job that reports after the detector has read it is not marked`() throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let connection = try stack.connection()
        // By its id too it is the first of those that fell silent in one second.
        let held = "backup-wrong8"
        let jobs = (0..<8).map { "backup-wrong8-\($0)" }
        @Sendable func report(_ job: String, _ seq: Int) throws -> Int {
            try hub.telemetry(.init(job: job, seq: seq, bytes: [Int64(seq)], totals: [1000])).status
        }
        for job in [held] + jobs { try EndToEndTests.WentWrongTests.register(hub, job, [1000]) }
        let start = ContinuousClock.now
        func wait(until milliseconds: Int) {
            let rest = start + .milliseconds(milliseconds) - ContinuousClock.now
            pause(milliseconds: UInt32(max(0, rest / .milliseconds(1))))
        }
        #expect(try report(held, 1) == 200)
        // The longest silent is marked first: while its row is held, the detector waits with what it has
        // read, for a second at a time.
        try connection.execute("BEGIN")
        _ = try connection.query("SELECT id FROM backup_jobs WHERE id = '\(held)' FOR UPDATE")
        wait(until: 300)
        for job in jobs { #expect(try report(job, 1) == 200) }
        // At 2.1 s it began to wait for the second time; by then each of the others had been silent for 1 s.
        wait(until: 2400)
        let reports = jobs.map { job in ThreadRun { try report(job, 2) } }
        for answer in reports { #expect(try answer.value() == 200) }
        #expect(ContinuousClock.now - start < .milliseconds(2950), "too slow for this machine")
        try connection.execute("COMMIT")
        try connection.waitForJob(held, seconds: 2) { $0.status == "stalled" }
        for job in jobs {
            let row = try connection.job(job)
            #expect(row.status == "running" && row.error == nil && row.seq == 2, "\(row)")
            #expect(try connection.events(job) == ["running (registered)"])
        }
    }

    /// One report, by this machine's clock, which is the database's too: when it was sent and when it was
    /// answered.
    private struct Sent {
        var atMilliseconds: Int64
        var answeredMilliseconds: Int64
    }

    private static var nowMilliseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    /// Reports again and again, each time about when the silence reaches the threshold.
    private static func hammer(_ hub: Hub, _ job: String, seed: UInt64, seconds: Int64) throws -> [Sent] {
        var generator = SplitMix64(seed: seed)
        let connection = try HTTPConnection(port: hub.port)
        let end = nowMilliseconds + seconds * 1000
        var sent: [Sent] = []
        while nowMilliseconds < end {
            let message = Hub.Message(job: job, seq: sent.count + 1, bytes: [1], totals: [1000])
            let start = nowMilliseconds
            let reply = try connection.request("POST", "/api/v1/telemetry/backup/\(job)", body: message.text)
            guard reply.status == 200 else { throw EndToEndError("\(job): \(reply.status) \(reply.text)") }
            sent.append(Sent(atMilliseconds: start, answeredMilliseconds: nowMilliseconds))
            let next = start + 1000 + Int64.random(in: -60...30, using: &generator)
            pause(milliseconds: UInt32(max(0, next - nowMilliseconds)))
        }
        return sent
    }

    @Test(arguments: EndToEndTests.WentWrongTests.seeds)
    func `8: no job is marked within its threshold of a report that was answered before`(seed: UInt64) throws
    {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let jobs = (0..<32).map { "backup-wrong8-hammer-\($0)" }
        for job in jobs { try EndToEndTests.WentWrongTests.register(hub, job, [1000]) }
        let threads = jobs.enumerated().map { index, job in
            ThreadRun { try Self.hammer(hub, job, seed: seed &+ UInt64(index), seconds: 4) }
        }
        let reports = try threads.map { try $0.value() }
        let connection = try stack.connection()
        var markCount = 0
        for (job, sent) in zip(jobs, reports) {
            let events = try connection.prepare(
                "SELECT at_ms, to_status, evidence FROM job_events WHERE job_id = ? ORDER BY id"
            ).query([.text(job)])
            for event in events {
                let (at, status) = (try event.int(0), try event.text(1))
                #expect(["running", "stalled"].contains(status), "\(job): \(status)")
                guard status == "stalled" else { continue }
                markCount += 1
                // What was answered was committed; 2 ms for clocks that are cut off to whole milliseconds.
                let ignored = sent.filter {
                    $0.answeredMilliseconds < at && $0.atMilliseconds > at - 1000 + 2
                }
                #expect(ignored.isEmpty, "\(job), marked at \(at) in spite of \(ignored)")
            }
        }
        #expect(markCount > 0, "no report came so late that the detector was in time")
    }
}
