import StackSupport
import Database
import TestSupport
import Testing

/// Line 16: the earlier implementation kept the newest numbers only.
extension EndToEndTests.WentWrongTests {
    private struct Point: Equatable {
        var bytes: Int64
        var speed: Int64?
    }

    private static func points(_ connection: Connection, _ job: String) throws -> [Point] {
        try connection.prepare(
            """
            SELECT bytes_transferred, transfer_speed_bps FROM job_history
            WHERE job_id = ? AND attempt = 1 ORDER BY at_ms
            """
        ).query([.text(job)]).map { Point(bytes: try $0.int(0), speed: try $0.optionalInt(1)) }
    }

    @Test func `16: a job's history has its first contact, a point per ten seconds, and its end`() throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let connection = try stack.connection()
        let job = "backup-wrong16-1"
        try Self.register(hub, job, [1000])
        func report(_ seq: Int, _ bytes: Int64) throws {
            let message = Hub.Message(job: job, seq: seq, bytes: [bytes], totals: [1000])
            #expect(try hub.telemetry(message).status == 200)
        }
        let registered = try Self.points(connection, job).count
        #expect(registered <= 1)
        for seq in 1...10 { try report(seq, Int64(seq) * 10) }
        let first = try Self.points(connection, job)
        #expect(first.last == Point(bytes: 10, speed: 1_048_576), "\(first)")
        #expect(first.count == registered + 1, "\(first)")

        // As if five seconds more had passed than have, then as if eleven had.
        for (seq, milliseconds) in [(11, 5000), (12, 6000)] {
            try connection.execute(
                "UPDATE backup_jobs SET history_ms = history_ms - \(milliseconds) WHERE id = '\(job)'"
            )
            let before = try Self.points(connection, job).count
            try report(seq, Int64(seq) * 10)
            #expect(try Self.points(connection, job).count == before + (seq == 12 ? 1 : 0))
        }
        try report(13, 900)
        #expect(try hub.complete(job, disk: 0).status == 200)
        let all = try Self.points(connection, job)
        #expect(
            all.suffix(2) == [Point(bytes: 120, speed: 1_048_576), Point(bytes: 900, speed: 0)],
            "\(all)"
        )
        #expect(try hub.complete(job, disk: 0).status == 200)
        #expect(try Self.points(connection, job) == all)
    }
}
