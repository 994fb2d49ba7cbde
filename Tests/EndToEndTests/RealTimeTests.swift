import StackSupport
import Database
import Foundation
import Testing

extension EndToEndTests.GuideTests {
    /// Looks at a job while its client runs, and once more after.
    private func watch(_ backup: Backup, _ client: Command, everyMilliseconds: UInt32) throws -> [JobRow] {
        let connection = try backup.stack.connection()
        var looks: [JobRow] = []
        let deadline = ContinuousClock.now + .seconds(90)
        var isLast = false
        while !isLast {
            isLast = !client.isRunning
            try #require(ContinuousClock.now < deadline, "the client does not end: \(backup.log)")
            looks.append(try connection.job(backup.jobID))
            if !isLast { pause(milliseconds: everyMilliseconds) }
        }
        let output = try client.wait(seconds: 10)
        try #require(output.status == 0, "\(output)\n\(backup.log)")
        return looks
    }

    private static func rank(_ phase: String) throws -> Int {
        try #require(
            ["pending", "snapshot", "transferring", "finalizing", "completed"].firstIndex(of: phase)
        )
    }

    @Test func `Test 2: updates arrive every five seconds, in order, with believable numbers`() throws {
        let stack = try EndToEndTests.stack()
        // The data is less than a tenth of the disk, so that no tenth of the progress adds its own updates.
        let backup = try Backup(
            stack,
            vm: "realtime1",
            job: "backup-realtime1-1",
            disks: [.init(dataKiB: 10 * 1024, sizeKiB: 128 * 1024)]
        )
        let bytesPerSecond = 640.0 * 1024
        let client = try backup.start(rate: "640K")
        try stack.connection().waitForJob(backup.jobID, seconds: 10) { $0.phase == "transferring" }
        let monitored = try #require(Guide.rows(try Self.run(Guide.monitor)).first)
        #expect(monitored["id"] == backup.jobID && monitored["status"] == "running")
        let looks = try watch(backup, client, everyMilliseconds: 50)

        let contacts = looks.compactMap(\.lastContact).reduce(into: [Int64]()) { contacts, next in
            if contacts.last != next { contacts.append(next) }
        }
        let gaps = zip(contacts, contacts.dropFirst()).map { $1 - $0 }
        #expect(gaps.allSatisfy { (0...6000).contains($0) }, "\(gaps)")
        #expect(gaps.filter { (4000...6000).contains($0) }.count >= 2, "\(gaps)")
        #expect(looks.allSatisfy { ($0.telemetryAge ?? 0) <= 7 })
        for (earlier, later) in zip(looks, looks.dropFirst()) {
            #expect(later.bytes >= earlier.bytes && later.percent >= earlier.percent)
            #expect(try Self.rank(later.phase) >= Self.rank(earlier.phase))
        }
        let copying = looks.filter { $0.phase == "transferring" && $0.bytes > 0 }
        let speeds = copying.compactMap(\.speed).filter { $0 > 0 }.map(Double.init)
        #expect(
            speeds.count >= 2 && speeds.allSatisfy { (0.5...1.5).contains($0 / bytesPerSecond) },
            "\(speeds)"
        )
        let etas = copying.compactMap(\.etaSeconds).filter { $0 > 0 }
        #expect(Set(etas).count >= 2 && etas == etas.sorted(by: >), "\(etas)")
        let last = try #require(looks.last)
        #expect(last.status == "completed" && last.percent == 100 && last.bytes == backup.size)

        // Some phases are too short to be seen in the table.
        let sent = backup.log.split(separator: "\n").filter { $0.contains("SHA telemetry update sent") }
        // The last disk's completion ends the job on the hub, so its own end needs no message.
        let phases = ["snapshot", "transferring", "finalizing"]
        let seen = sent.compactMap { line in phases.first { line.contains("phase=\($0)") } }
        #expect(
            seen.count == sent.count
                && seen.reduce(into: [String]()) { if $0.last != $1 { $0.append($1) } } == phases
        )
        #expect(stack.log(.writer).contains("Telemetry received and processed"))
    }

    @Test func `Test 3: each disk has its own progress, and the job is their sum at any time`() throws {
        let stack = try EndToEndTests.stack()
        let backup = try Backup(
            stack,
            vm: "disks1",
            job: "backup-disks1-1",
            disks: [
                .init(dataKiB: 3 * 1024, sizeKiB: 3 * 1024), .init(dataKiB: 15 * 1024, sizeKiB: 20 * 1024),
            ]
        )
        let client = try backup.start(rate: "2560K", intervalMilliseconds: 250)
        try stack.connection().waitForJob(backup.jobID, seconds: 10) { $0.disks.allSatisfy { $0.bytes > 0 } }
        let refused = try stack.shell(Guide.diskMonitor)
        #expect(refused.status != 0 && refused.errorText.contains("ERROR 1235"), "\(refused)")
        let monitored = Guide.table(try Self.run(Guide.diskMonitorRepaired))
        #expect(monitored.map { [$0[0], $0[1]] } == [[backup.jobID, "0"], [backup.jobID, "1"]])

        let looks = try watch(backup, client, everyMilliseconds: 20)
        #expect(looks.count > 10)
        let order = ["pending", "transferring", "completed"]
        for job in looks {
            let bytes = job.disks.reduce(0) { $0 + $1.bytes }
            let total = job.disks.reduce(0) { $0 + $1.total }
            #expect(job.bytes == bytes && job.total == total && total == backup.size)
            #expect(Self.hundredths(job.percent) == bytes * 10_000 / total)
            for disk in job.disks {
                #expect(order.contains(disk.status))
                #expect(Self.hundredths(disk.percent) == disk.bytes * 10_000 / disk.total)
            }
        }
        for (earlier, later) in zip(looks, looks.dropFirst()) {
            for (before, after) in zip(earlier.disks, later.disks) {
                #expect(after.bytes >= before.bytes)
                let ranks = [before.status, after.status].map { order.firstIndex(of: $0) ?? -1 }
                #expect(ranks[1] >= ranks[0])
            }
        }
        #expect(looks.contains { $0.disks.map(\.status) == ["completed", "transferring"] })
        #expect(looks.contains { $0.disks[0].percent != $0.disks[1].percent && $0.disks[0].percent < 100 })
        #expect(looks.last?.disks.map(\.bytes) == backup.sizes)
        #expect(try backup.targetsAreIdentical())
    }

    private static func hundredths(_ percent: Double) -> Int64 { Int64((percent * 100).rounded()) }

    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["SENDENSE_TEST_REAL_TIMES"] == "1",
            "takes five minutes; SENDENSE_TEST_REAL_TIMES=1 runs it"
        )
    )
    func `Test 4: a killed client's job is stalled after 60 s and failed after 300 s`() throws {
        let stack = try EndToEndTests.stack()
        try SilentJob(stack, job: "backup-lost60-1", vm: "lost60").run(
            stalledAfter: 60,
            failedAfter: 300,
            failedText: "Job failed due to no telemetry updates for 5m0s"
        )
    }
}
