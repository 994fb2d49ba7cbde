import JobModel
import TestSupport
import Testing

@Suite struct OrderTests {
    static let id = JobID("backup-vm-1760000000")

    @Test(arguments: UInt64(0)..<400)
    func `any order and repetition of a correct client's messages ends in the same rows`(seed: UInt64) throws
    {
        var generator = SplitMix64(seed: seed)
        let id = try #require(Self.id)
        let client = CorrectClient(using: &generator, id: id)
        var plain: Job?
        _ = play([.registration(client.registration)] + client.messages, on: &plain)
        let expected = Rows(try #require(plain))

        for _ in 0..<8 {
            var shuffled = client.messages
            for message in client.messages where Bool.random(using: &generator) { shuffled.append(message) }
            shuffled.shuffle(using: &generator)
            var job: Job?
            _ = play([.registration(client.registration)] + shuffled, on: &job)
            #expect(Rows(try #require(job)) == expected, "seed \(seed)")
        }
    }

    @Test(arguments: UInt64(0)..<200)
    func `a finished job never moves again`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let id = try #require(Self.id)
        let client = CorrectClient(using: &generator, id: id)
        var job: Job?
        _ = play([.registration(client.registration)] + client.messages, on: &job)
        guard let final = job, final.isFinal else { return }
        for message in client.messages.shuffled(using: &generator) {
            let effect = Job.apply(message, to: &job)
            #expect(job == final, "seed \(seed)")
            #expect(effect.changes.isEmpty && !effect.isContact, "seed \(seed)")
            #expect([.terminal, .repeated].contains(effect.answer.verdict), "seed \(seed)")
        }
    }

    @Test(arguments: UInt64(0)..<200)
    func `at every moment the parent is the sum of its disks and percent lies in 0 to 100`(
        seed: UInt64
    ) throws {
        var generator = SplitMix64(seed: seed)
        let id = try #require(Self.id)
        let client = CorrectClient(using: &generator, id: id)
        var messages = client.messages + client.messages
        messages.shuffle(using: &generator)
        var job: Job?
        _ = Job.apply(.registration(client.registration), to: &job)
        var lastPercent: Int32 = 0
        for message in messages {
            _ = Job.apply(message, to: &job)
            let now = try #require(job)
            #expect(now.bytes == now.disks.reduce(0) { $0 + $1.bytes }, "seed \(seed)")
            #expect(now.total == now.disks.reduce(0) { $0 + ($1.total ?? 0) }, "seed \(seed)")
            #expect((0...10_000).contains(now.percentHundredths), "seed \(seed)")
            #expect(now.percentHundredths >= lastPercent, "seed \(seed): percent went back")
            lastPercent = now.percentHundredths
        }
    }

    @Test(arguments: UInt64(0)..<200)
    func `messages of an older attempt change nothing once a newer one is registered`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let id = try #require(Self.id)
        var client = CorrectClient(using: &generator, id: id)
        client.messages = client.messages.filter {
            if case .report(let report) = $0 { return report.status == .running }
            return false
        }
        var job: Job?
        _ = play([.registration(client.registration)] + client.messages, on: &job)
        var next = client.registration
        next.attempt = 2
        let effect = Job.apply(.registration(next), to: &job)
        #expect(effect.answer.verdict == .created)
        let fresh = job
        #expect(fresh?.bytes == 0 && fresh?.seq == 0 && fresh?.status == .running)
        for message in client.messages.shuffled(using: &generator) {
            let effect = Job.apply(message, to: &job)
            #expect(effect.answer.verdict == .conflict && !effect.isContact, "seed \(seed)")
            #expect(job == fresh, "seed \(seed)")
        }
    }

    @Test(arguments: UInt64(0)..<200)
    func `an old client's numbers for a one-disk job end the same in any order`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let id = try #require(Self.id)
        let size: Int64 = 1_000_000
        let registration = Registration(
            jobID: id,
            vmName: "vm",
            backupType: .full,
            disks: [RegisteredDisk(index: 0, total: size)]
        )
        var bytes: Int64 = 0
        let count = Int.random(in: 1...20, using: &generator)
        let messages = (0..<count).map { step -> JobMessage in
            bytes += Int64.random(in: 0...(size - bytes), using: &generator)
            // Whole seconds, at any offset: two messages may share one.
            return .report(
                Report(
                    jobID: id,
                    status: .running,
                    phase: "transferring",
                    bytes: bytes,
                    total: size,
                    speed: Int64.random(in: 1...9, using: &generator),
                    timestampMilliseconds: 1_760_000_000_000 + Int64(step / 2) * 1000
                )
            )
        }
        var plain: Job?
        _ = play([.registration(registration)] + messages, on: &plain)
        for _ in 0..<8 {
            var shuffled = messages + messages.filter { _ in Bool.random(using: &generator) }
            shuffled.shuffle(using: &generator)
            var job: Job?
            _ = play([.registration(registration)] + shuffled, on: &job)
            #expect(job?.bytes == plain?.bytes, "seed \(seed)")
            #expect(job?.percentHundredths == plain?.percentHundredths, "seed \(seed)")
            #expect(job?.clockKey == plain?.clockKey, "seed \(seed)")
        }
    }
}
