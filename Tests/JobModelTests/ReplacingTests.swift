import JobModel
import TestSupport
import Testing

/// When one report may stand for two.
@Suite struct ReplacingTests {
    private static let id = JobID.known("backup-old-1")

    private static func pick<Value>(_ values: [Value], _ generator: inout SplitMix64) -> Value {
        values[Int.random(in: 0..<values.count, using: &generator)]
    }

    /// A report as an old client, or a confused one, may send it; small numbers, so that they meet.
    private static func report(_ generator: inout SplitMix64) -> Report {
        let disks = (0..<Int32(pick([0, 0, 1, 2], &generator))).map { index in
            DiskReport(
                index: index,
                bytes: pick([0, 10, 20, 50, 100], &generator),
                total: pick([nil, 0, 100, 100, 100, 200], &generator),
                status: pick([.pending, .transferring, .transferring, .completed], &generator)
            )
        }
        return Report(
            jobID: id,
            status: pick([.running, .running, .running, .pending, .completed, .failed], &generator),
            phase: pick(["", "snapshot", "transferring"], &generator),
            bytes: pick([0, 10, 20, 50, 100], &generator),
            total: pick([nil, 0, 100, 100, 100, 200], &generator),
            speed: pick([nil, 0, 5, 6], &generator),
            etaSeconds: pick([nil, 0, 7, 8], &generator),
            percentHundredths: pick([nil, 0, 1000, 2000], &generator),
            disks: disks,
            error: pick([nil, nil, nil, nil, nil, "gone"], &generator),
            timestampMilliseconds: pick([nil, 1000, 2000, 3000, 4000], &generator),
            attempt: nil,
            seq: pick([nil, nil, nil, nil, nil, 3], &generator)
        )
    }

    /// A job in any state that messages can bring it to.
    private static func job(_ generator: inout SplitMix64) -> Job? {
        var job: Job?
        let diskCount = Int32(pick([0, 1, 2], &generator))
        if diskCount == 0 {
            job = Job(
                id: id,
                vmName: "vm",
                backupType: .full,
                status: pick([.pending, .running], &generator)
            )
        } else {
            let disks = (0..<diskCount).map { index in
                RegisteredDisk(index: index, total: pick([nil, 100, 200], &generator))
            }
            let type = pick([BackupType.full, .incremental], &generator)
            let registration = Registration(jobID: id, vmName: "vm", backupType: type, disks: disks)
            _ = Job.apply(.registration(registration), to: &job)
        }
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            if Int.random(in: 0...5, using: &generator) == 0 {
                let done = DiskCompletion(jobID: id, diskIndex: 0, changeID: "1", bytes: 0)
                _ = Job.apply(.completion(done), to: &job)
            } else {
                _ = Job.apply(.report(report(&generator)), to: &job)
            }
        }
        if Int.random(in: 0...4, using: &generator) == 0, job?.status == .running { job?.status = .stalled }
        return job
    }

    @Test func `a report that replaces another leaves the same job alone as both do`() {
        var replaced = 0
        for seed in UInt64(0)..<60_000 {
            var generator = SplitMix64(seed: seed)
            let start = Self.job(&generator)
            let first = Self.report(&generator)
            var second = Self.report(&generator)
            if Bool.random(using: &generator) {
                // Mostly a later report is the earlier one and a little more.
                second = first
                second.timestampMilliseconds = first.timestampMilliseconds.map { $0 + 1000 }
                second.bytes += 10
                for index in second.disks.indices { second.disks[index].bytes += 10 }
            }
            // A report whose key is stored already is a repeat and no sign of life; the one before it may be one.
            let isStored =
                start?.clockKey != nil && start?.clockKey?.milliseconds == second.timestampMilliseconds
            guard second.replaces(first), !isStored else { continue }
            replaced += 1
            var both = start
            _ = Job.apply(.report(first), to: &both)
            _ = Job.apply(.report(second), to: &both)
            var alone = start
            _ = Job.apply(.report(second), to: &alone)
            #expect(both == alone, "seed \(seed)")
            if both != alone { return }
        }
        #expect(replaced > 5000, "only \(replaced) pairs were judged")
    }

    @Test func `transitions, clients with seq and older clocks are never replaced`() {
        let plain = Report(
            jobID: Self.id,
            status: .running,
            phase: "transferring",
            bytes: 10,
            total: 100,
            timestampMilliseconds: 1000
        )
        func later(_ change: (inout Report) -> Void) -> Report {
            var report = plain
            report.timestampMilliseconds = 2000
            report.bytes = 20
            change(&report)
            return report
        }
        #expect(later { _ in }.replaces(plain))
        #expect(!later { $0.status = .completed }.replaces(plain))
        #expect(!later { $0.error = "gone" }.replaces(plain))
        #expect(!later { $0.seq = 4 }.replaces(plain))
        #expect(!later { $0.timestampMilliseconds = 1000 }.replaces(plain), "of one second the rules choose")
        #expect(!later { $0.timestampMilliseconds = 500 }.replaces(plain))
        #expect(!later { $0.bytes = 5 }.replaces(plain))
        #expect(!later { $0.total = 200 }.replaces(plain))
        #expect(!later { $0.jobID = JobID.known("another") }.replaces(plain))
    }
}
