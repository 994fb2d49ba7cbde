import Database
import Foundation
import TestSupport
import Testing

extension EndToEndTests.GuideTests {
    /// A message as a client of the earlier generation sends it: every member always there, no `seq`.
    private static func message(
        _ job: String,
        status: String = "running",
        bytes: Int64 = 0,
        total: Int64 = 0,
        second: Int
    ) -> String {
        let phase = status == "running" ? "transferring" : status
        return """
            {"job_id":"\(job)","job_type":"backup","status":"\(status)","current_phase":"\(phase)",\
            "bytes_transferred":\(bytes),"total_bytes":\(total),"transfer_speed_bps":\(bytes / 5),\
            "eta_seconds":0,"progress_percent":0,"disks":[],\
            "timestamp":"2025-10-10T14:23:\(second)-07:00"}
            """
    }

    @Test func `an old client's end of a disk neither ends the job nor erases what was told`() throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let connection = try stack.connection()
        let job = "backup-oldgen1-1"
        func tell(_ body: String) throws {
            let reply = try hub.post("/api/v1/telemetry/backup/\(job)", body)
            #expect(reply.status == 200, "\(reply.text)")
        }
        #expect(try hub.register(job, vm: "oldgen1", totals: [1000, 3000], telemetry: false).status == 201)
        try tell(Self.message(job, bytes: 400, total: 1000, second: 10))
        #expect(try connection.job(job).disks.map(\.bytes) == [400, 0])
        try tell(Self.message(job, bytes: 1000, total: 1000, second: 15))
        try tell(Self.message(job, status: "completed", second: 16))
        #expect(try hub.complete(job, disk: 0).status == 200)
        let first = try connection.job(job)
        #expect(first.status == "running" && first.disks.map(\.bytes) == [1000, 0])
        #expect(first.bytes == 1000 && first.disks[0].status == "completed")

        try tell(Self.message(job, bytes: 2000, total: 3000, second: 20))
        // A late one.
        try tell(Self.message(job, bytes: 500, total: 3000, second: 18))
        let second = try connection.job(job)
        #expect(second.bytes == 3000 && second.percent == 75 && second.lastTelemetryAt != nil)
        try tell(Self.message(job, bytes: 3000, total: 3000, second: 25))
        try tell(Self.message(job, status: "completed", second: 26))
        for _ in 0..<2 { #expect(try hub.complete(job, disk: 1).status == 200) }
        let done = try connection.job(job)
        #expect(done.status == "completed" && done.percent == 100 && done.isEnded)
        #expect(done.bytes == 4000 && done.disks.map(\.bytes) == [1000, 3000])
        #expect(done.disks.allSatisfy { $0.changeID != nil })
        #expect(try connection.events(job).filter { $0.hasPrefix("completed") }.count == 1)
    }

    @Test func `last disks that end at the same instant, each told twice, end their job once`() throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let jobs = (0..<8).map { "backup-race1-\($0)" }
        let totals: [Int64] = [1000, 3000, 5000]
        for job in jobs {
            #expect(try hub.register(job, vm: "race1", totals: totals, telemetry: false).status == 201)
        }
        let calls = jobs.flatMap { job in
            (0..<2 * totals.count).map { number in
                ThreadRun { try hub.complete(job, disk: number % totals.count).status }
            }
        }
        for call in calls { #expect(try call.value() == 200) }
        let connection = try stack.connection()
        for job in jobs {
            let done = try connection.job(job)
            #expect(done.status == "completed" && done.bytes == 9000 && done.disks.map(\.bytes) == totals)
            let events = try connection.events(job)
            #expect(events.filter { $0.hasPrefix("completed") }.count == 1, "\(events)")
            #expect(events.filter { $0.contains("bytes presumed") }.count == totals.count, "\(events)")
        }
    }
}
