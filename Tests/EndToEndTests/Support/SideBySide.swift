import StackSupport
import Database
import Foundation
import TestSupport
import Testing

/// A hub in the field with clients of every kind, and the guide's queries on what they leave behind.
struct SideBySide {
    private typealias GuideTests = EndToEndTests.GuideTests

    private let stack: Stack
    private let hub: Hub
    private let connection: Connection
    private let field: FieldHubJobs
    private let generation: OldClient.Generation

    /// The stack's database is a field hub's; the old client that reports for its running job is of this
    /// generation.
    init(_ stack: Stack, generation: OldClient.Generation) throws {
        self.stack = stack
        self.generation = generation
        hub = try Hub(stack)
        connection = try stack.connection()
        field = FieldHubJobs(connection: connection)
    }

    func run() throws {
        try GuideTests.checklist()
        for (number, sizes) in [[1, 2], [1], [3], [], [2]].enumerated() {
            try field.make(Self.job(number), status: number < 2 ? "running" : "pending", gibibytes: sizes)
        }
        let foreign = try field.foreign()
        try mendZeroBytes()
        try old()
        try silent()
        try failing()
        try new(Self.job(2), sizes: [3])
        try binary(Self.job(3))
        try monitors(Self.job(4))
        let now = try field.foreign()
        #expect(foreign.filter { !now.contains($0) } == [], "the hub's own has changed: \(now)")
        try validate()
    }

    /// Takes out what our migrations have put in: what is left are the hub's own tables, and in them what
    /// was told.
    func unmigrate(to hub: Stack.FieldHub) throws {
        let before = try field.foreign()
        let told = try told()
        for service in [Stack.Service.ingest, .staleDetector, .writer] { try stack.stop(service) }
        let output = try stack.launch(
            ["\(Stack.binaries)/sendense-writer", "unmigrate"],
            variables: stack.settings()
        ).wait(seconds: 60)
        try #require(output.status == 0, "\(output)")
        #expect(try field.foreign() == before)
        #expect(try self.told() == told.map { $0.replacing("transferring", with: "running") })
        let left = try field.definitions()
        try stack.adopt(hub) { #expect(left == $0) }
    }

    /// What was told of the jobs, in columns that a hub has without us.
    private func told() throws -> [String] {
        let rows =
            try connection.query(
                "SELECT id, status, bytes_transferred, total_bytes, error_message FROM backup_jobs ORDER BY id"
            )
            + connection.query(
                """
                SELECT backup_job_id, disk_index, status, bytes_transferred, disk_change_id, error_message
                FROM backup_disks ORDER BY backup_job_id, disk_index
                """
            )
        return rows.map { "\($0.cells)" }
    }

    private static func job(_ number: Int) -> String { "backup-pgtest1-176010000\(number)" }

    /// The guide's repair of a job whose parent never got its bytes.
    private func mendZeroBytes() throws {
        let wrong = Guide.rows(try GuideTests.run(Guide.wrongSums))
        #expect(wrong.map { $0["backup_job_id"] } == [FieldHubJobs.zeroBytes])
        #expect(wrong.first?["should_be"] == "114890375168" && wrong.first?["actual"] == "0")
        _ = try GuideTests.run(Guide.mendOldJobs)
        #expect(try GuideTests.run(Guide.wrongSums) == "")
        let mended = try connection.job(FieldHubJobs.zeroBytes)
        #expect(mended.bytes == 114_890_375_168 && mended.status == "completed")
    }

    /// An old client tells of the job that was running when we came.
    private func old() throws {
        let totals = [102, 5].map { $0 * FieldHubJobs.gibibyte }
        var client = OldClient(job: FieldHubJobs.running, totals: totals, generation: generation, seed: 4)
        try Player(hub).play(client.backup())
        try expectCompleted(FieldHubJobs.running, client.bytesTold(), hasTelemetry: true)
    }

    private func silent() throws {
        let job = Self.job(0)
        for disk in 0..<2 { #expect(try hub.complete(job, disk: disk).status == 200) }
        try expectCompleted(job, [1, 2].map { $0 * FieldHubJobs.gibibyte }, hasTelemetry: false)
    }

    private func failing() throws {
        let job = Self.job(1)
        var client = OldClient(job: job, totals: [FieldHubJobs.gibibyte], generation: generation, seed: 4)
        try Player(hub).play([client.progress(disk: 0, bytes: 1000), client.failed(disk: 0, .object)])
        let failed = try connection.job(job)
        #expect(failed.status == "failed" && !failed.isPresumed && failed.bytes == 1000)
        #expect(failed.error?.contains(OldClient.Failure.message) == true, "\(failed)")
    }

    private func new(_ job: String, sizes: [Int64]) throws {
        let totals = sizes.map { $0 * FieldHubJobs.gibibyte }
        try Player(hub).play(NewClient(job: job, totals: totals).backup())
        try expectCompleted(job, totals, hasTelemetry: true)
    }

    /// Our own client, for a job whose disks the hub does not know yet.
    private func binary(_ job: String) throws {
        let backup = try Backup(
            stack,
            vm: "pgtest1",
            job: job,
            disks: [.init(dataKiB: 512, sizeKiB: 1024), .init(dataKiB: 64, sizeKiB: 64)]
        )
        let output = try backup.start().wait(seconds: 30)
        try #require(output.status == 0, "\(output)\n\(backup.log)")
        try expectCompleted(job, backup.sizes, hasTelemetry: true)
        #expect(try backup.targetsAreIdentical())
    }

    private func expectCompleted(_ job: String, _ bytes: [Int64], hasTelemetry: Bool) throws {
        let row = try connection.job(job)
        #expect(
            row.status == "completed" && row.phase == "completed" && row.percent == 100 && row.isEnded,
            "\(row)"
        )
        #expect(row.disks.map(\.bytes) == bytes && row.bytes == row.diskBytes, "\(row)")
        #expect(row.disks.allSatisfy { $0.status == "completed" && $0.changeID != nil })
        #expect((row.lastTelemetryAt != nil) == hasTelemetry && row.error == nil)
    }

    /// The guide's monitors, while a job runs.
    private func monitors(_ job: String) throws {
        let total = 2 * FieldHubJobs.gibibyte
        let message = Hub.Message(job: job, seq: 1, bytes: [total / 4], totals: [total])
        #expect(try hub.telemetry(message).status == 200)
        let monitored = try #require(Guide.rows(try GuideTests.run(Guide.monitor)).first)
        #expect(monitored["id"] == job && monitored["progress"] == "25.0", "\(monitored)")
        let disks = Guide.table(try GuideTests.run(Guide.diskMonitorRepaired))
        #expect(disks == [[job, "0", "25.0", "transferring", "512", "2"]], "\(disks)")
        let newest = try GuideTests.run(Guide.runningJob)
        #expect(newest.contains("Monitoring job: \(job)"))
        let stale = try GuideTests.run(Guide.staleMonitorRepaired, variables: ["JOB_ID": job])
        let seconds = Guide.rows(stale).first?["seconds_since_update"].flatMap { Int($0) }
        #expect(seconds.map { (0...5).contains($0) } == true, "\(stale)")
        let logic = Guide.table(try GuideTests.run(Guide.staleLogic))
        #expect(logic.map { [$0[0], $0[4]] } == [[job, "OK"]], "\(logic)")
    }

    /// The guide's validation queries over all jobs.
    private func validate() throws {
        #expect(try GuideTests.run(Guide.wrongSums) == "")
        let sums = Guide.rows(try GuideTests.run(Guide.aggregation))
        #expect(sums.count == 5 && sums.allSatisfy { $0["aggregation_correct"] == "1" }, "\(sums)")
        let completed = Guide.rows(try GuideTests.run(Guide.completedJobs))
        #expect(
            completed.count == 5 && completed.allSatisfy { $0["bytes_transferred"] != "0" },
            "\(completed)"
        )
        // Within a day, by status: all, with telemetry, without; pending is the hub's child row.
        let coverage = Dictionary(
            uniqueKeysWithValues: Guide.table(try GuideTests.run(Guide.coverage)).map {
                ($0[0], $0.dropFirst())
            }
        )
        #expect(
            coverage == [
                "completed": ["4", "3", "1"], "failed": ["1", "1", "0"], "pending": ["1", "0", "1"],
                "running": ["1", "1", "0"],
            ],
            "\(coverage)"
        )
        let frequency = Guide.table(try GuideTests.run(Guide.frequency))
        #expect(
            frequency.count == 5 && frequency.allSatisfy { (0...120).contains(Int($0[2]) ?? -1) },
            "\(frequency)"
        )
        let statistics = try GuideTests.run(Guide.staleStatistics)
        #expect(statistics == "", "\(statistics)")
    }
}
