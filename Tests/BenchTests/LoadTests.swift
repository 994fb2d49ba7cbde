import Database
import Glibc
import JobModel
import TelemetryContract
import TestSupport
import Testing

@testable import Bench

@Suite struct LoadTests {
    private static let jobs = JobSet(prefix: "backup-vm", count: 1000, diskCount: 2)

    /// What the door reads from a request's bytes.
    private func report(_ form: RequestForm) throws -> Report {
        let parts = String(decoding: form.bytes, as: UTF8.self).split(separator: "\r\n\r\n")
        let target = try #require(parts[0].split(separator: " ").dropFirst().first)
        let job = try #require(target.split(separator: "/").last.flatMap { JobID(String($0)) })
        #expect(parts[0].contains("Content-Length: \(parts[1].utf8.count)"))
        return try TelemetryDecoder.report(body: Array(parts[1].utf8).span, jobType: "backup", jobID: job)
    }

    @Test(arguments: [0, 1, 999, 1000, 12_345_678], [1, 1000])
    func `a request tells what its number stands for`(number: Int, spacing: Int) throws {
        let jobs = JobSet(prefix: "backup-vm", count: 1000, diskCount: 2, spacing: spacing)
        var form = RequestForm(.new, jobs)
        let length = form.bytes.count
        form.fill(number, second: 1_760_106_225)
        let report = try report(form)
        #expect(form.bytes.count == length)
        #expect(report.jobID.rawValue == jobs.id(jobs.job(number)))
        #expect(report.seq == jobs.seq(number) && report.attempt == 1)
        #expect(
            report.bytes == jobs.bytes(number) && report.disks.map(\.bytes).reduce(0, +) == report.bytes
        )
        #expect(report.timestampMilliseconds == 1_760_106_225_000)
    }

    @Test func `an old client's request has no number and no disks, a late one the lowest number`() throws {
        var (old, late) = (RequestForm(.old, Self.jobs), RequestForm(.late, Self.jobs))
        old.fill(77, second: 1)
        late.fill(77, second: 1)
        let (told, overtaken) = (try report(old), try report(late))
        #expect(told.seq == nil && told.attempt == nil && told.disks.isEmpty)
        #expect(told.bytes == Self.jobs.diskBytes(77))
        #expect(overtaken.seq == JobSet.seqMin)
    }

    @Test(arguments: [1, 2, 50, 1000, 4096, 100_000])
    func `no job comes again before all have come`(count: Int) {
        let jobs = JobSet(prefix: "backup-vm", count: count, diskCount: 1)
        #expect(Set((0..<count).map { jobs.job($0) }).count == count)
        #expect((count..<count + 20).allSatisfy { jobs.job($0) == jobs.job($0 - count) })
    }

    @Test func `jobs that lie apart in the table keep their numbers there`() {
        let jobs = JobSet(prefix: "backup-vm", count: 10, diskCount: 1, spacing: 100)
        #expect(jobs.id(7) == "backup-vm0000700-1760000000")
        #expect((0..<10).allSatisfy { (0..<10).contains(jobs.job($0)) })
    }

    @Test func `a pause of the server counts for all that was due in it`() throws {
        // Answers 100 messages a second at once, but for half a second in which it answers nobody.
        let server = try PausingServer(pauseAfter: 50, pauseMilliseconds: 500)
        let load = try HTTPLoad(
            port: server.port,
            connectionCount: 4,
            jobs: Self.jobs,
            counter: MessageCounter()
        )
        let outcome = try load.run(
            .even(perSecond: 100),
            warmUpSeconds: 0,
            seconds: 2,
            meter: Meter(processes: [])
        )
        #expect(outcome.faultCount == 0)
        #expect((190...201).contains(outcome.due), "\(outcome.due)")
        // 50 of 200 were due in the pause, one every 10 ms: a quarter waited, the longest nearly all of it. Clients
        // that wait for one another would have met it four times.
        #expect(outcome.latencies.milliseconds(percentile: 100) > 400)
        #expect(outcome.latencies.milliseconds(percentile: 90) > 200)
        #expect(outcome.latencies.milliseconds(percentile: 50) < 100)
    }

    @Test func `statuses that do not count and connections that break are told`() throws {
        let server = try PausingServer(status: 503)
        let load = try HTTPLoad(
            port: server.port,
            connectionCount: 2,
            jobs: Self.jobs,
            counter: MessageCounter()
        )
        let outcome = try load.run(
            .even(perSecond: 50),
            warmUpSeconds: 0,
            seconds: 0.5,
            meter: Meter(processes: [])
        )
        #expect(outcome.served == 0)
        #expect(outcome.otherStatuses[503] == outcome.sentInAll && outcome.sentInAll > 20)
    }

    @Test func `in lockstep all that is due at one instant waits for its turn`() throws {
        // Ten connections, and each answer takes the others' time: the last of fifty waits longest.
        let server = try PausingServer()
        let load = try HTTPLoad(
            port: server.port,
            connectionCount: 10,
            jobs: Self.jobs,
            counter: MessageCounter()
        )
        let outcome = try load.run(
            .lockstep(count: 50, everySeconds: 0.5),
            warmUpSeconds: 0,
            seconds: 0.9,
            meter: Meter(processes: [])
        )
        #expect(outcome.due == 100 && outcome.latencies.count == 100)
        #expect(outcome.faultCount == 0 && outcome.served == 100)
    }
}
