import StackSupport
import Database
import Testing

/// The guide's Test 4: a client is killed in the middle of its copy, and its job is called out.
struct SilentJob {
    let stack: Stack
    let backup: Backup

    init(_ stack: Stack, job: String, vm: String) throws {
        self.stack = stack
        backup = try Backup(
            stack,
            vm: vm,
            job: job,
            disks: [.init(dataKiB: 1024, sizeKiB: 1024), .init(dataKiB: 64 * 1024, sizeKiB: 64 * 1024)]
        )
    }

    /// Kills the client, and sees the job stalled and failed, each within a second of its time.
    func run(stalledAfter: Int64, failedAfter: Int64, failedText: String) throws {
        let connection = try stack.connection()
        let client = try backup.start(rate: "4M", intervalMilliseconds: 500)
        try connection.waitForJob(backup.jobID, seconds: 20) {
            $0.disks.first?.status == "completed" && $0.percent > 5
        }
        let newest = try GuideTests.run(Guide.runningJob)
        #expect(newest.contains("Monitoring job: \(backup.jobID)"))
        client.kill9()
        // A message that was on its way when the client died.
        pause(milliseconds: 300)
        let killed = try connection.job(backup.jobID)
        #expect(killed.status == "running" && killed.error == nil)

        let stalled = try connection.waitForJob(backup.jobID, seconds: Double(stalledAfter) + 10) {
            $0.status != "running"
        }
        #expect(stalled.status == "stalled")
        #expect(stalled.error == "Job stalled due to no telemetry updates for \(stalledAfter)s")
        #expect(!stalled.isEnded && stalled.bytes == killed.bytes && stalled.seq == killed.seq)
        #expect(
            (stalledAfter * 1000..<stalledAfter * 1000 + 1000).contains(stalled.silence),
            "\(stalled.silence)"
        )
        try monitor()

        let failed = try connection.waitForJob(backup.jobID, seconds: Double(failedAfter) + 10) {
            $0.status != "stalled"
        }
        #expect(failed.status == "failed" && failed.error == failedText)
        #expect(failed.isEnded && failed.isPresumed)
        #expect(
            (failedAfter * 1000..<failedAfter * 1000 + 1000).contains(failed.silence),
            "\(failed.silence)"
        )
        #expect(failed.disks.map(\.status) == ["completed", "failed"])
        #expect(failed.bytes == killed.bytes)
        #expect(
            try connection.events(backup.jobID) == [
                "running (registered)", "stalled (silent: stalled)", "failed (silent: failed)",
            ]
        )
        let log = stack.log(.staleDetector).split(separator: "\n").filter { $0.contains(backup.jobID) }
        #expect(log.contains { $0.contains("Job stalled due to no telemetry updates for \(stalledAfter)s") })
        #expect(log.contains { $0.contains(failedText) })
    }

    /// The guide's monitor: refused as it is written, its twin shows the stalled job.
    private func monitor() throws {
        let refused = try stack.shell(Guide.staleMonitor, variables: ["JOB_ID": backup.jobID])
        #expect(refused.status != 0 && refused.errorText.contains("ERROR 1064"), "\(refused)")
        let text = try GuideTests.run(Guide.staleMonitorRepaired, variables: ["JOB_ID": backup.jobID])
        let row = try #require(Guide.rows(text).first)
        #expect(row["id"] == backup.jobID && row["status"] == "stalled")
        #expect(row["error_message"]?.hasPrefix("Job stalled") == true)
        let silence = try #require(row["seconds_since_update"].flatMap { Int($0) })
        #expect((1...400).contains(silence))
    }

    private typealias GuideTests = EndToEndTests.GuideTests
}
