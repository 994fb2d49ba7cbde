import Foundation
import StackSupport
import TestSupport

extension Scenario {
    private static let jobCount = 10_000

    /// Three days without a writer, in little.
    static let longOutage = Scenario(
        name: "long-outage",
        summary: "10,000 running jobs of old clients, no writer for three times the stalled threshold",
        run: withoutWriter
    )

    @Sendable private static func withoutWriter(_ trial: Trial) throws {
        let site = try trial.site(Site.Plan(stalledAfterSeconds: 25, failedAfterSeconds: 60))
        let crowd = Crowd("crowd", ports: site.ports, count: jobCount, seed: trial.seed)
        // Registered, and heard of once.
        for _ in 0..<2 { try crowd.step(0..<jobCount) }
        let before = crowd.acknowledgedCount
        trial.expect(before == 2 * jobCount, "only \(before) of \(2 * jobCount) messages were taken at first")
        var sizes: [Int] = []
        try trial.outage {
            site.writers[0].kill9()
            trial.fault()
            let end = ContinuousClock.now + .seconds(3 * site.plan.stalledAfterSeconds)
            repeat {
                try crowd.step(0..<jobCount)
                sizes.append(site.outboxByteCount)
            } while ContinuousClock.now < end
            // Updates of a few more cost nothing; the end of one in ten does.
            for _ in 0..<200 { try crowd.step(0..<40) }
            sizes.append(site.outboxByteCount)
            for _ in 0..<2 { try crowd.step(0..<jobCount / 10, isClosing: true) }
            sizes.append(site.outboxByteCount)
            try site.writers[0].start()
            for service in site.services { try service.waitUntilReady() }
        }
        tell(trial, crowd, sizes)
        trial.expect(crowd.keptCount > 0, "no message was answered 202")
        // The others are still at it, then they end.
        for isClosing in [false, true, true] { try crowd.step(0..<jobCount, isClosing: isClosing) }
        trial.acknowledged(crowd.acknowledgedCount)
        try trial.settle(site, ledgers: crowd.ledgers, Settling(drainSeconds: 120))
    }

    private static func tell(_ trial: Trial, _ crowd: Crowd, _ sizes: [Int]) {
        guard sizes.count >= 3 else { return }
        let (first, last, end) = (sizes[0], sizes[sizes.count - 3], sizes[sizes.count - 1])
        let transitions = Double(2 * jobCount / 10)
        trial.note(
            """
            \(crowd.keptCount) messages were answered 202 in \(sizes.count - 2) rounds; the outbox took \
            \(first) bytes after the first round, \(last) after the last: \(last / jobCount) a job; with 8,000 \
            more of 40 jobs \(sizes[sizes.count - 2]), with \(Int(transitions)) transitions \(end): \
            \(Int(Double(end - sizes[sizes.count - 2]) / transitions)) a transition
            """
        )
        trial.note(
            """
            simulated: an update stands for 5 s of a client's; an outage of 72 h has 51,840 of each job, of which \
            the outbox keeps the last
            """
        )
        trial.expect(
            Double(sizes[sizes.count - 2]) <= 1.5 * Double(first) + 8e6,
            "the outbox grows with updates"
        )
    }
}

extension Site {
    /// What the outboxes take on disk, in bytes.
    var outboxByteCount: Int {
        outboxes.flatMap { [$0, "\($0)-wal"] }.reduce(0) { sum, path in
            let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
            return sum + (size ?? 0)
        }
    }
}
