import StackSupport
import Database
import Foundation
import Synchronization
import TestSupport
import Testing

/// The earlier detector read the silent jobs first and then wrote their new status by id alone.
extension EndToEndTests.WentWrongStaleTests {
    @Test func `8: a row that somebody holds keeps no other from its mark, and counts from its release`()
        throws
    {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let connection = try stack.connection()
        let held = "backup-wrong8"
        let others = (0..<8).map { "backup-wrong8-\($0)" }
        for job in [held] + others {
            try EndToEndTests.WentWrongTests.register(hub, job, [1000])
            let reply = try hub.telemetry(.init(job: job, seq: 1, bytes: [1], totals: [1000]))
            #expect(reply.status == 200)
        }
        let rival = try stack.connection()
        try rival.execute("BEGIN")
        _ = try rival.query("SELECT id FROM backup_jobs WHERE id = '\(held)' FOR UPDATE")
        for job in others { try connection.waitForJob(job, seconds: 2) { $0.status == "stalled" } }
        // Longer than the threshold of failing: its client could not have been heard all the while.
        pause(milliseconds: 2500)
        try rival.execute("COMMIT")
        let release = ContinuousClock.now
        while ContinuousClock.now - release < .milliseconds(700) {
            let row = try connection.job(held)
            #expect(row.status == "running", "\(row)")
            pause(milliseconds: 50)
        }
        try connection.waitForJob(held, seconds: 2) { $0.status == "stalled" }
        #expect(try connection.events(held) == ["running (registered)", "stalled (silent: stalled)"])
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
