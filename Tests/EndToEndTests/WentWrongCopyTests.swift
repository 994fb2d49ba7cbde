import StackSupport
import Database
import Foundation
import TestSupport
import Testing

/// The lines about the backup client itself, by the real one.
extension EndToEndTests.WentWrongTests {
    private static let mebibyte: Int64 = 1_048_576

    /// The phases that the client says it has delivered, each once.
    private static func phases(_ backup: Backup) -> [String] {
        let sent = backup.log.split(separator: "\n").filter { $0.contains("SHA telemetry update sent") }
        let words = sent.compactMap { line in
            line.split(separator: " ").first { $0.hasPrefix("phase=") }.map { String($0.dropFirst(6)) }
        }
        return words.reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }

    /// The earlier one kept its errors to itself: the job went on until 300 s had passed without a message.
    @Test func `9: a copy's failure is told at once, with its cause`() throws {
        let stack = try EndToEndTests.stack()
        let connection = try stack.connection()
        let backup = try Backup(
            stack,
            vm: "wrong9",
            job: "backup-wrong9-1",
            disks: [.init(dataKiB: 256, sizeKiB: 256), .init(dataKiB: 32 * 1024, sizeKiB: 32 * 1024)]
        )
        let client = try backup.start(rate: "4M")
        try connection.waitForJob(backup.jobID, seconds: 10) {
            $0.disks.first?.status == "completed" && $0.percent > 5
        }
        let output = try stack.shell("truncate -s 64K \(backup.source(1))")
        #expect(output.status == 0, "\(output)")
        let failed = try connection.waitForJob(backup.jobID, seconds: 3) { $0.status == "failed" }
        #expect(failed.isEnded && !failed.isPresumed && failed.silence < 3000)
        let error = try #require(failed.error)
        #expect(error.contains("disk 1") && error.contains(backup.source(1)), "\(error)")
        #expect(failed.disks.map(\.status) == ["completed", "failed"] && failed.bytes == failed.diskBytes)
        #expect(failed.disks[0].bytes == backup.sizes[0] && failed.speed == 0)
        #expect(try client.wait(seconds: 20).status == 1)
        // The disk that was done keeps its change id, and its completion changes nothing else.
        let ended = try connection.job(backup.jobID)
        #expect(ended.disks[0].changeID?.hasPrefix("sbc-\(backup.jobID)-0-") == true)
        #expect(ended.disks[1].changeID == nil)
        #expect(ended.status == "failed" && ended.error == error && ended.bytes == failed.bytes)
        #expect(ended.disks.map(\.status) == ["completed", "failed"])
        #expect(Self.phases(backup) == ["snapshot", "transferring"])
    }

    /// The earlier one sent nothing before the first progress, and no phase but transferring.
    @Test func `9: a copy tells its start and each of its phases`() throws {
        let stack = try EndToEndTests.stack()
        let connection = try stack.connection()
        let whole = try Backup(
            stack,
            vm: "wrong9",
            job: "backup-wrong9-whole",
            disks: [.init(dataKiB: 512, sizeKiB: 1024)]
        )
        let output = try whole.start().wait(seconds: 20)
        try #require(output.status == 0, "\(output)\n\(whole.log)")
        #expect(Self.phases(whole) == ["snapshot", "transferring", "finalizing"], "\(whole.log)")

        let unreadable = try Backup(
            stack,
            vm: "wrong9",
            job: "backup-wrong9-missing",
            disks: [.init(dataKiB: 4, sizeKiB: 4)]
        )
        try FileManager.default.removeItem(atPath: unreadable.source(0))
        #expect(try unreadable.start().wait(seconds: 20).status == 1)
        let failed = try connection.job(unreadable.jobID)
        #expect(failed.status == "failed" && !failed.isPresumed && failed.error?.contains("disk 0") == true)
    }

    /// The milliseconds that a copy took, by its own word.
    private static func copyMilliseconds(_ output: Command.Output) throws -> Int {
        let line = try #require(output.text.split(separator: "\n").last)
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        return try #require(object?["duration_ms"] as? Int, "\(line)")
    }

    private func copy(
        _ name: String,
        hubPort: Int? = nil,
        _ arguments: [String] = [],
        onceCopied: () throws -> Void = {}
    ) throws -> (backup: Backup, milliseconds: Int) {
        let backup = try Backup(
            EndToEndTests.stack(),
            vm: "wrong10",
            job: "backup-wrong10-\(name)",
            disks: [.init(dataKiB: 24 * 1024, sizeKiB: 24 * 1024)]
        )
        let client = try backup.start(
            rate: "16M",
            intervalMilliseconds: 100,
            hubPort: hubPort,
            arguments: arguments
        )
        #expect(try eventually(seconds: 60) { try backup.targetsAreIdentical() })
        try onceCopied()
        let output = try client.wait(seconds: 60)
        try #require(output.status == 0, "\(output)\n\(backup.log)")
        return (backup, try Self.copyMilliseconds(output))
    }

    /// In the earlier one each message was sent between two chunks: at ten seconds without an answer, the
    /// copy stood still for as long, and the bytes that it could not tell were gone.
    @Test func `10: a hub that is slow or never answers neither slows the copy nor loses bytes`() throws {
        let stack = try EndToEndTests.stack()
        let connection = try stack.connection()
        let alone = try copy("alone", ["--no-telemetry"]).milliseconds

        let deaf = try SlowHub(before: Hub(stack), delayMilliseconds: nil)
        // The copy gives the hub's first word two seconds, once.
        let beside = try copy("deaf", hubPort: deaf.port, ["--drain-timeout", "0"]) { try deaf.stop() }
        #expect(beside.milliseconds < alone + 2000 + 1500, "\(beside) ms, alone \(alone) ms")

        let slow = try SlowHub(before: Hub(stack), delayMilliseconds: 400)
        let (backup, late) = try copy("slow", hubPort: slow.port)
        #expect(late < alone + 400 + 1500, "\(late) ms, alone \(alone) ms")
        try slow.stop()
        let done = try connection.job(backup.jobID)
        #expect(
            done.status == "completed" && done.bytes == backup.size && done.disks.map(\.bytes) == backup.sizes
        )
    }

    /// As above: whatever was said while nobody listened was lost for good.
    @Test func `10: a copy that the hub missed entirely is told once the hub is there`() throws {
        let stack = try EndToEndTests.stack()
        let backup = try Backup(
            stack,
            vm: "wrong10",
            job: "backup-wrong10-missed",
            disks: [.init(dataKiB: 2048, sizeKiB: 4096), .init(dataKiB: 64, sizeKiB: 1024)]
        )
        try stack.stop(.ingest)
        let client = try backup.start(intervalMilliseconds: 100)
        #expect(try eventually(seconds: 10) { try backup.targetsAreIdentical() })
        #expect(client.isRunning, "the client did not wait for the hub")
        try stack.start(.ingest)
        let output = try client.wait(seconds: 40)
        try #require(output.status == 0, "\(output)\n\(backup.log)")
        let done = try stack.connection().job(backup.jobID)
        #expect(done.status == "completed" && done.bytes == backup.size)
        #expect(done.disks.map(\.bytes) == backup.sizes && done.disks.allSatisfy { $0.changeID != nil })
    }

    /// The earlier one divided all bytes by all time, and sent neither number once it was 0.
    @Test func `11: the speed is that of the last seconds, and it ends at 0 like the ETA`() throws {
        let stack = try EndToEndTests.stack()
        let connection = try stack.connection()
        let backup = try Backup(
            stack,
            vm: "wrong11",
            job: "backup-wrong11-stall",
            disks: [.init(dataKiB: 48 * 1024, sizeKiB: 48 * 1024)]
        )
        let start = ContinuousClock.now
        let client = try backup.start(rate: "16M", intervalMilliseconds: 200)
        try connection.waitForJob(backup.jobID, seconds: 10) { $0.bytes > 24 * Self.mebibyte }
        kill(client.pid, SIGSTOP)
        // A message may be on its way.
        pause(milliseconds: 200)
        let before = try connection.job(backup.jobID)
        pause(milliseconds: 9000)
        kill(client.pid, SIGCONT)
        let after = try connection.waitForJob(backup.jobID, seconds: 3) { $0.seq > before.seq }
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let mean = Double(after.bytes) / elapsed
        let speed = try #require(after.speed)
        #expect(Double(speed) < 0.75 * mean, "\(speed) B/s, on average \(mean)")
        let output = try client.wait(seconds: 30)
        try #require(output.status == 0, "\(output)\n\(backup.log)")
        let done = try connection.job(backup.jobID)
        #expect(done.speed == 0 && done.etaSeconds == 0 && done.percent == 100)
    }

    /// The earlier one took the client's word for the percentage, and that began anew with each disk; a 0
    /// for speed or ETA it left out.
    @Test(arguments: [OldClient.Generation.withoutDisks, .withDisks], seeds)
    func `11: the percentage stays within 0 and 100 and never goes back, and a 0 is a 0`(
        generation: OldClient.Generation,
        seed: UInt64
    ) throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let player = Player(hub)
        let connection = try stack.connection()
        let job = "backup-wrong11-\(generation)"
        let totals: [Int64] = [2000, 500, 3000]
        try Self.register(hub, job, totals)
        var client = OldClient(job: job, totals: totals, generation: generation, seed: seed)
        var generator = SplitMix64(seed: seed)
        var last = 0.0
        let requests = client.backup(steps: 5)
        for (place, request) in requests.enumerated() {
            try player.play([request])
            let look = try connection.job(job)
            #expect((last...100).contains(look.percent), "\(look.percent) after \(last): \(request)")
            #expect(look.disks.allSatisfy { (0...100).contains($0.percent) })
            last = look.percent
            // An older message once more: it moves nothing back.
            let older = try #require(requests[...place].randomElement(using: &generator))
            try player.send(older)
            #expect(try connection.job(job).settled == look.settled, "\(older)\nafter \(request)")
        }
        #expect(last == 100)

        let newJob = "backup-wrong11-zero-\(generation)"
        try Self.register(hub, newJob, [1000])
        var message = Hub.Message(job: newJob, seq: 1, bytes: [10], totals: [1000])
        #expect(try hub.telemetry(message).status == 200)
        #expect(try connection.job(newJob).speed == 1_048_576)
        message.seq = 2
        let stalled = message.text.replacingOccurrences(of: "1048576", with: "0")
        #expect(try hub.post("/api/v1/telemetry/backup/\(newJob)", stalled).status == 200)
        #expect(try connection.job(newJob).speed == 0)
    }

    /// The earlier one looked at samples of a chunk, and left out of the copy what held a 0 in each.
    @Test func `13: a disk is copied whose only byte that is not 0 stands anywhere`() throws {
        let stack = try EndToEndTests.stack()
        let offsets = [
            0, 1, 511, 4095, 4096, 65_537, 1_048_575, 1_048_576, 1_572_865, 2_097_151, 3_333_333, 4_194_303,
        ]
        let backup = try Backup(
            stack,
            vm: "wrong13",
            job: "backup-wrong13-1",
            disks: offsets.map { _ in .init(dataKiB: 0, sizeKiB: 4096) }
        )
        for (index, offset) in offsets.enumerated() {
            let output = try stack.shell(
                """
                head -c 4M /dev/zero >\(backup.source(index)) &&
                printf x | dd of=\(backup.source(index)) bs=1 seek=\(offset) conv=notrunc status=none
                """
            )
            try #require(output.status == 0, "\(output)")
        }
        let output = try backup.start().wait(seconds: 60)
        try #require(output.status == 0, "\(output)\n\(backup.log)")
        #expect(try backup.targetsAreIdentical())
        let done = try stack.connection().job(backup.jobID)
        #expect(done.status == "completed" && done.bytes == backup.size)
    }

    /// The earlier one waited for bytes to come.
    @Test(arguments: [true, false])
    func `13: an incremental without changed blocks ends`(hasTelemetry: Bool) throws {
        let stack = try EndToEndTests.stack()
        let hub = try Hub(stack)
        let job = "backup-wrong13-unchanged-\(hasTelemetry)"
        let reply = try hub.register(
            job,
            vm: "wrong13",
            type: "incremental",
            totals: [0, 0],
            telemetry: false
        )
        #expect(reply.status == 201, "\(reply.text)")
        if hasTelemetry {
            let message = Hub.Message(job: job, seq: 1, bytes: [0, 0], totals: [0, 0])
            #expect(try hub.telemetry(message).status == 200)
        }
        for disk in 0..<2 { #expect(try hub.complete(job, disk: disk).status == 200) }
        let done = try stack.connection().job(job)
        #expect(done.status == "completed" && done.isEnded && done.percent == 100)
        #expect(done.bytes == 0 && done.disks.map(\.bytes) == [0, 0] && done.total == 0)
    }
}
