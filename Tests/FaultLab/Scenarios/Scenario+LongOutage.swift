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
        guard sizes.count >= 4 else { return }
        // Each client says once within its first three reports that there is no news; after that it only goes on.
        let (first, last) = (sizes[min(3, sizes.count - 3)], sizes[sizes.count - 3])
        let (more, end) = (sizes[sizes.count - 2], sizes[sizes.count - 1])
        let transitions = 2 * jobCount / 10
        trial.note(
            """
            \(crowd.keptCount) messages were answered 202; entries took \(first) bytes after the fourth of \
            \(sizes.count - 2) rounds, \(last) after the last: \(last / jobCount) a job; with 8,000 more updates \
            of 40 jobs \(more), with \(transitions) transitions \(end): \((end - more) / transitions) a transition
            """
        )
        trial.note(
            """
            simulated: 72 h have 51,840 updates of each job, one in 5 s; here \(sizes.count - 2) of each, and 200 \
            more of 40 jobs
            """
        )
        trial.expect(Double(more) <= 1.05 * Double(first), "the outbox grows with updates")
    }
}

extension Site {
    /// What the outboxes' entries take, in bytes, as the ingests say.
    var outboxByteCount: Int {
        // The gauge follows within half a second.
        pause(milliseconds: 700)
        return ingests.reduce(0) { $0 + Int($1.metric("sendense_ingest_outbox_bytes") ?? 0) }
    }
}
