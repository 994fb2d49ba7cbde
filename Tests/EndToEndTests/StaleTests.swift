import StackSupport
import Database
import Testing

extension EndToEndTests {
    /// Silent jobs, with thresholds short enough to wait for.
    @Suite(.stack(["SENDENSE_STALLED_AFTER": "2", "SENDENSE_FAILED_AFTER": "5"]), .timeLimit(.minutes(3)))
    struct StaleTests {
        private static let mebibyte: Int64 = 1_048_576

        @Test func `Test 4: a killed client's job is stalled, then failed, and comes back to life`() throws {
            let stack = try stack()
            let silent = try SilentJob(stack, job: "backup-lost1-1", vm: "lost1")
            try silent.run(
                stalledAfter: 2,
                failedAfter: 5,
                failedText: "Job failed due to no telemetry updates for 5s"
            )
            let statistics = Guide.table(try GuideTests.run(Guide.staleStatistics))
            #expect(
                statistics.contains {
                    $0[0] == "failed" && $0[2] == "Job failed due to no telemetry updates for 5s"
                        && $0[1] != "0"
                }
            )

            let connection = try stack.connection()
            let failed = try connection.job(silent.backup.jobID)
            let reply = try Hub(stack).telemetry(
                .init(
                    job: silent.backup.jobID,
                    attempt: Int(failed.attempt),
                    seq: Int(failed.seq) + 1,
                    bytes: [silent.backup.sizes[0], failed.disks[1].bytes + 1],
                    totals: silent.backup.sizes
                )
            )
            #expect(reply.status == 200, "\(reply.text)")
            let revived = try connection.job(silent.backup.jobID)
            #expect(revived.status == "running" && revived.error == nil)
            #expect(!revived.isEnded && !revived.isPresumed)
            #expect(revived.disks.map(\.status) == ["completed", "transferring"])
            #expect(revived.bytes == failed.bytes + 1)
            #expect(try connection.events(silent.backup.jobID).last == "running (revived)")
        }

        @Test func `a stalled job with contact runs again, and one that never spoke is called out too`()
            throws
        {
            let stack = try stack()
            let hub = try Hub(stack)
            let connection = try stack.connection()
            let size = 10 * Self.mebibyte
            for job in ["backup-back1-1", "backup-mute1-1"] {
                #expect(try hub.register(job, vm: job, totals: [size], telemetry: true).status == 201)
            }
            let message = Hub.Message(job: "backup-back1-1", seq: 1, bytes: [Self.mebibyte], totals: [size])
            #expect(try hub.telemetry(message).status == 200)
            let stalled = try connection.waitForJob("backup-back1-1", seconds: 5) { $0.status == "stalled" }
            #expect(stalled.error == "Job stalled due to no telemetry updates for 2s")
            try connection.waitForJob("backup-mute1-1", seconds: 5) { $0.status == "stalled" && $0.seq == 0 }

            var next = message
            next.seq = 2
            next.bytes = [2 * Self.mebibyte]
            #expect(try hub.telemetry(next).status == 200)
            let running = try connection.job("backup-back1-1")
            #expect(running.status == "running" && running.error == nil && running.bytes == 2 * Self.mebibyte)
            #expect(
                try connection.events("backup-back1-1") == [
                    "running (registered)", "stalled (silent: stalled)", "running (resumed)",
                ]
            )
        }

        @Test func `Test 5: a silent old client is never called stale, and its bytes are right at the end`()
            throws
        {
            let stack = try stack()
            let hub = try Hub(stack)
            let connection = try stack.connection()
            let job = "backup-old1-1"
            let totals = [3 * Self.mebibyte, 5 * Self.mebibyte]
            #expect(try hub.register(job, vm: "old1", totals: totals, telemetry: false).status == 201)
            let start = ContinuousClock.now
            while ContinuousClock.now - start < .seconds(7) {
                let row = try connection.job(job)
                #expect(row.status == "running" && row.lastTelemetryAt == nil)
                #expect(row.percent == 0 && row.bytes == 0)
                pause(milliseconds: 100)
            }
            let monitored = try #require(Guide.rows(try GuideTests.run(Guide.silentMonitor)).first)
            #expect(monitored["id"] == job && monitored["last_telemetry_at"] == "NULL")
            #expect(monitored["progress_percent"] == "0.00" && monitored["bytes_transferred"] == "0")

            #expect(try hub.complete(job, disk: 0).status == 200)
            let half = try connection.job(job)
            #expect(half.status == "running" && half.bytes == totals[0] && half.lastTelemetryAt == nil)
            #expect(try hub.complete(job, disk: 1).status == 200)
            let done = try connection.job(job)
            #expect(done.status == "completed" && done.percent == 100 && done.isEnded)
            #expect(done.bytes == totals[0] + totals[1] && done.disks.map(\.bytes) == totals)
            #expect(done.lastTelemetryAt == nil && done.error == nil)
            #expect(try connection.events(job).contains { $0.contains("bytes presumed") })
        }
    }
}
