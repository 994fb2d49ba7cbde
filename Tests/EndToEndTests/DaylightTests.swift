import StackSupport
import Database
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The database server's local time jumps while jobs run. The server's zone is the system's, as in the
    /// field, and the rule of that zone is made so that its change comes some seconds after the server's
    /// start.
    @Suite(
        .stack([
            "MARIADB_OPTIONS": "--innodb-flush-log-at-trx-commit=0",
            "SENDENSE_STALLED_AFTER": "2", "SENDENSE_FAILED_AFTER": "5",
        ]),
        .timeLimit(.minutes(3))
    )
    struct DaylightTests {
        private static let total: Int64 = 1_000_000

        private static var nowMilliseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

        /// A job, and when it stops to report.
        private struct Reporting {
            var job: String
            var old: OldClient?
            var silentFrom: Int64
            var sentCount = 0
            var lastSentMilliseconds: Int64 = 0

            mutating func report(_ player: Player) throws {
                sentCount += 1
                lastSentMilliseconds = DaylightTests.nowMilliseconds
                let bytes = Int64(sentCount) * 1000
                if let request = old?.progress(disk: 0, bytes: bytes) { return try player.play([request]) }
                let message = Hub.Message(job: job, seq: sentCount, bytes: [bytes], totals: [total])
                let path = "/api/v1/telemetry/backup/\(job)"
                try player.play([ClientRequest(.progress, disk: 0, path: path, body: message.text)])
            }
        }

        private func jobs(
            _ hub: Hub,
            _ change: LocalTimeChange,
            at changeMilliseconds: Int64
        ) throws -> [Reporting] {
            let plans: [(name: String, generation: OldClient.Generation?, silentFrom: Int64)] = [
                ("new", nil, .max), ("old", .withoutDisks, .max), ("newer", .withDisks, .max),
                ("silent-before", nil, changeMilliseconds - 1200),
                ("silent-at", .withoutDisks, changeMilliseconds - 100),
                ("silent-after", nil, changeMilliseconds + 1000),
            ]
            return try plans.map { plan in
                let job = "backup-daylight-\(change)-\(plan.name)"
                try WentWrongTests.register(hub, job, [Self.total])
                let old = plan.generation.map {
                    OldClient(job: job, totals: [Self.total], generation: $0, seed: 1)
                }
                return Reporting(job: job, old: old, silentFrom: plan.silentFrom)
            }
        }

        /// Seconds by which the server's local time is ahead of UTC.
        private func offset(_ connection: Connection) throws -> Int64 {
            try connection.query("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())")[0].int(0)
        }

        @Test(arguments: LocalTimeChange.allCases)
        func `a change of the local time moves no job, and silence is called out in time`(
            change: LocalTimeChange
        ) throws {
            let stack = try stack()
            let changeSecond = Self.nowMilliseconds / 1000 + 8
            let changeMilliseconds = changeSecond * 1000
            try stack.stop(.mariadb)
            let zone = change.zone(at: changeSecond)
            try stack.start(.mariadb, variables: ["TZ": zone])
            let connection = try stack.connection()
            let hub = try Hub(stack)
            #expect(
                try eventually(seconds: 3) {
                    try hub.get("/api/v1/health").object()["status"] as? String == "ok"
                }
            )
            #expect(try offset(connection) == (change == .forward ? -10_800 : -7200), "\(zone)")
            var jobs = try jobs(hub, change, at: changeMilliseconds)
            let player = Player(hub)
            try #require(Self.nowMilliseconds < changeMilliseconds - 2000, "the server's start took too long")

            // Within the hour that a change back repeats, local time alone does not say which of the two it
            // is.
            let early = "backup-daylight-\(change)-early"
            try WentWrongTests.register(hub, early, [Self.total])
            #expect(try hub.complete(early, disk: 0).status == 200)
            try endIsNow(early, "completed", connection)

            while Self.nowMilliseconds < changeMilliseconds + 6500 {
                let round = Self.nowMilliseconds
                for index in jobs.indices where round < jobs[index].silentFrom {
                    try jobs[index].report(player)
                    let row = try connection.job(jobs[index].job)
                    #expect(row.status == "running" && row.error == nil, "\(row)")
                    #expect(row.bytes == Int64(jobs[index].sentCount) * 1000)
                    // A look on the other side of the change than the report sees an hour between them.
                    let isAcross = (round...Self.nowMilliseconds).contains(changeMilliseconds)
                    #expect(isAcross || (0...1).contains(row.telemetryAge ?? -1), "\(row)")
                }
                pause(milliseconds: UInt32(max(0, round + 400 - Self.nowMilliseconds)))
            }
            #expect(try offset(connection) == (change == .forward ? -7200 : -10_800), "\(zone)")
            for reporting in jobs where reporting.silentFrom < .max {
                try silenceIsCalledOut(reporting, connection)
            }
            for reporting in jobs where reporting.silentFrom == .max {
                #expect(try connection.events(reporting.job).allSatisfy { $0.hasPrefix("running") })
                #expect(try hub.complete(reporting.job, disk: 0).status == 200)
                try endIsNow(reporting.job, "completed", connection)
            }
        }

        private func silenceIsCalledOut(_ reporting: Reporting, _ connection: Connection) throws {
            let job = reporting.job
            try connection.waitForJob(job, seconds: 3) { $0.status == "failed" }
            let marks = try [connection.times(job, of: "stalled"), connection.times(job, of: "failed")]
            #expect(marks.map(\.count) == [1, 1], "\(job): \(marks)")
            for (times, threshold) in zip(marks, [2000, 5000] as [Int64]) {
                let silences = times.map { $0 - reporting.lastSentMilliseconds }
                #expect(
                    silences.allSatisfy { (threshold..<threshold + 1000).contains($0) },
                    "\(job): \(silences)"
                )
            }
            try endIsNow(job, "failed", connection)
        }

        /// The end as the table has it, against the event's time, which is UTC.
        private func endIsNow(_ job: String, _ status: String, _ connection: Connection) throws {
            let end = try connection.prepare(
                "SELECT CAST(UNIX_TIMESTAMP(completed_at) AS SIGNED) FROM backup_jobs WHERE id = ?"
            ).query([.text(job)])[0].int(0)
            let event = try #require(try connection.times(job, of: status).last)
            #expect(abs(end * 1000 - event) < 2000, "\(job): \(end) s, the event \(event) ms")
        }
    }
}
