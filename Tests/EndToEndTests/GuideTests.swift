import StackSupport
import Database
import Foundation
import Testing

extension EndToEndTests {
    /// The guide's scenarios with its own thresholds, 60 and 300 s.
    @Suite(.stack(), .timeLimit(.minutes(8)))
    struct GuideTests {
        /// Runs one of the guide's commands, which has to succeed.
        static func run(_ command: String, variables: [String: String] = [:]) throws -> String {
            let output = try stack().shell(command, variables: variables)
            try #require(output.status == 0, "\(output)")
            return output.text
        }

        @Test func `the tables are as the guide's checklist expects them`() throws { try Self.checklist() }

        /// The guide's checklist of columns and index.
        static func checklist() throws {
            let columns = Guide.table(try Self.run(Guide.jobColumns)).sorted { $0[0] < $1[0] }
            #expect(
                columns == [
                    ["current_phase", "varchar(50)", "'pending'"],
                    ["eta_seconds", "int(11)", "0"],
                    ["last_telemetry_at", "datetime", "NULL"],
                    ["progress_percent", "decimal(5,2)", "0.00"],
                    ["transfer_speed_bps", "bigint(20)", "0"],
                ]
            )
            let diskColumns = Guide.table(try Self.run(Guide.diskColumns))
            #expect(diskColumns == [["progress_percent", "decimal(5,2)", "0.00"]])
            let index = Guide.table(try Self.run(Guide.telemetryIndex)).map { [$0[2], $0[3], $0[4]] }
            #expect(
                index == [
                    ["idx_last_telemetry", "1", "status"], ["idx_last_telemetry", "2", "last_telemetry_at"],
                ]
            )
        }

        @Test func `the services say in their logs that they are at work`() throws {
            let stack = try stack()
            #expect(
                stack.log(.ingest).contains(
                    "Telemetry API endpoints enabled (Real-time SBC progress tracking)"
                )
            )
            #expect(
                stack.log(.ingest).contains(
                    "Telemetry API routes registered: POST /api/v1/telemetry/{job_type}/{job_id}"
                )
            )
            #expect(stack.log(.staleDetector).contains("🚨 Stale job detector started"))
        }

        @Test func `Test 1: a finished backup has the bytes of all its disks`() throws {
            let stack = try stack()
            let backup = try Backup(
                stack,
                vm: "pgtest1",
                job: "backup-pgtest1-1",
                disks: [
                    .init(dataKiB: 24 * 1024, sizeKiB: 24 * 1024), .init(dataKiB: 5000, sizeKiB: 40 * 1024),
                ]
            )
            let output = try backup.start().wait(seconds: 60)
            try #require(output.status == 0, "\(output)\n\(backup.log)")

            let job = try #require(
                Guide.rows(try Self.run(Guide.completedJobs)).first { $0["id"] == backup.jobID }
            )
            #expect(job["vm_name"] == "pgtest1")
            #expect(job["bytes_transferred"] == "\(backup.size)")
            #expect(job["total_bytes"] == "\(backup.size)")
            #expect(job["completed_at"] != "NULL")
            let sums = try #require(
                Guide.rows(try Self.run(Guide.aggregation)).first { $0["backup_job_id"] == backup.jobID }
            )
            #expect(sums["parent_bytes"] == "\(backup.size)")
            #expect(sums["sum_disk_bytes"] == "\(backup.size)")
            #expect(sums["aggregation_correct"] == "1")

            let row = try stack.connection().job(backup.jobID)
            #expect(row.disks.map(\.bytes) == backup.sizes)
            #expect(row.disks.map(\.status) == ["completed", "completed"])
            #expect(row.disks.allSatisfy { $0.percent == 100 && $0.changeID != nil })
            #expect(row.phase == "completed" && row.percent == 100 && row.error == nil)
            #expect(row.speed == 0 && row.etaSeconds == 0)
            #expect(try backup.targetsAreIdentical())
            let aggregated = stack.log(.writer).split(separator: "\n").filter {
                $0.contains("Aggregated bytes_transferred") && $0.contains(backup.jobID)
            }
            #expect(aggregated.count == 1)
        }

        @Test func `a client killed half-way runs again as another attempt, and the old one is fenced`()
            throws
        {
            let stack = try stack()
            let connection = try stack.connection()
            let backup = try Backup(
                stack,
                vm: "again1",
                job: "backup-again1-1",
                disks: [
                    .init(dataKiB: 8 * 1024, sizeKiB: 8 * 1024), .init(dataKiB: 2048, sizeKiB: 10 * 1024),
                ]
            )
            let first = try backup.start(rate: "2M", intervalMilliseconds: 200)
            let killed = try connection.waitForJob(backup.jobID, seconds: 20) { $0.percent > 25 }
            first.kill9()
            #expect(killed.attempt == 1 && killed.status == "running")

            let second = try backup.start(rate: "3M", intervalMilliseconds: 200)
            let restarted = try connection.waitForJob(backup.jobID, seconds: 20) {
                $0.attempt == 2 && $0.seq > 1
            }
            let late = try Hub(stack).telemetry(
                .init(job: backup.jobID, seq: 1_000_000, bytes: backup.sizes, totals: backup.sizes)
            )
            #expect(late.status == 409, "\(late.text)")
            let afterwards = try connection.job(backup.jobID)
            #expect(afterwards.attempt == 2 && afterwards.seq < 1_000_000 && afterwards.status == "running")
            #expect(restarted.bytes < backup.size)

            let output = try second.wait(seconds: 60)
            try #require(output.status == 0, "\(output)\n\(backup.log)")
            let done = try connection.job(backup.jobID)
            #expect(done.status == "completed" && done.attempt == 2)
            #expect(done.bytes == backup.size && done.disks.map(\.bytes) == backup.sizes)
            #expect(try backup.targetsAreIdentical())
            #expect(try connection.events(backup.jobID).contains("running (restarted)"))
        }

        @Test func `a cancelled job stops its client, which says so, and stays cancelled`() throws {
            let stack = try stack()
            let hub = try Hub(stack)
            let connection = try stack.connection()
            let backup = try Backup(
                stack,
                vm: "cancel1",
                job: "backup-cancel1-1",
                disks: [.init(dataKiB: 8 * 1024, sizeKiB: 8 * 1024)]
            )
            let client = try backup.start(rate: "1M", intervalMilliseconds: 200)
            try connection.waitForJob(backup.jobID, seconds: 20) { $0.bytes > 0 }
            let path = "/api/v1/backups/\(backup.jobID)/cancel"
            let reply = try hub.post(path, #"{"reason":"maintenance"}"#)
            #expect(try reply.status == 200 && reply.object()["job_status"] as? String == "cancelled")
            let output = try client.wait(seconds: 15)
            #expect(output.status == 3, "\(output)\n\(backup.log)")
            let row = try connection.job(backup.jobID)
            #expect(row.status == "cancelled" && row.isEnded && row.bytes < backup.size)
            #expect(row.error == "The backup was cancelled: maintenance")
            #expect(try hub.post(path, "").status == 200, "once more")
            let late = try hub.telemetry(
                .init(job: backup.jobID, seq: 1_000_000, bytes: backup.sizes, totals: backup.sizes)
            )
            #expect(try late.status == 409 && late.object()["command"] as? String == "cancel")
            #expect(try connection.job(backup.jobID).bytes == row.bytes)
            #expect(try hub.post("/api/v1/backups/backup-nobody-1/cancel", "").status == 404)
        }

        @Test func `the validation queries find telemetry everywhere and no wrong sum`() throws {
            let stack = try stack()
            let backup = try Backup(
                stack,
                vm: "valid1",
                job: "backup-valid1-1",
                disks: [.init(dataKiB: 1024, sizeKiB: 2048)]
            )
            let output = try backup.start().wait(seconds: 60)
            try #require(output.status == 0, "\(output)\n\(backup.log)")

            let coverage = Guide.table(try Self.run(Guide.coverage))
            let completed = try #require(coverage.first { $0[0] == "completed" })
            let counts = completed.dropFirst().compactMap { Int($0) }
            try #require(counts.count == 3)
            #expect(counts[1] > 0 && counts[1] + counts[2] == counts[0])

            let frequency = try #require(
                Guide.table(try Self.run(Guide.frequency)).first { $0[0] == backup.jobID }
            )
            // created_at and last_telemetry_at are in one zone, or this would be hours.
            let seconds = try #require(Int(frequency[2]))
            #expect((0...60).contains(seconds))

            #expect(try Self.run(Guide.wrongSums) == "")
            #expect(try Self.run(Guide.staleLogic).contains("should_be") == false)
            #expect(try Self.run(Guide.mendOldJobs) == "")
            #expect(try stack.connection().job(backup.jobID).bytes == backup.size)
        }

        @Test func `the guide's probes get a 400 and a healthy answer`() throws {
            #expect(try Self.run(Guide.probe) == "400")
            let health = try Self.run(Guide.health)
            #expect(health.contains(#""status": "ok""#) && health.contains(#""reasons": []"#), "\(health)")
        }
    }
}
