import StackSupport
import TestSupport

extension Scenario {
    /// Messages that come late, twice, or in another order.
    static let disorder: [Scenario] = [
        Scenario(
            name: "disorder",
            summary:
                "each client's messages go through four connections at once, repeated, late, in any order"
        ) { try shuffle($0, jobCount: 300, threadCount: 24, way: .concurrent) },
        Scenario(
            name: "shuffles",
            summary: "10,000 backups, each with its messages shuffled and some of them sent again"
        ) { try shuffle($0, jobCount: 10_000, threadCount: 48, way: .oneByOne) },
        Scenario(
            name: "disorder-under-fire",
            summary: "shuffled backups while writer and ingest are killed"
        ) { trial in
            try shuffle(trial, jobCount: 600, threadCount: 32, way: .oneByOne) { site, generator in
                let victim = Bool.random(using: &generator) ? site.writers[0] : site.ingests[0]
                victim.kill9()
                trial.fault()
                try victim.start()
                try victim.waitUntilReady()
                pause(milliseconds: UInt32.random(in: 0...500, using: &generator))
            }
        },
    ]

    /// Sends shuffled backups; meanwhile something may be repeated.
    private static func shuffle(
        _ trial: Trial,
        jobCount: Int,
        threadCount: Int,
        way: Shuffler.Way,
        _ meanwhile: ((Site, inout SplitMix64) throws -> Void)? = nil
    ) throws {
        // Not a scenario about silence: shuffled messages need not be a client's that reports in time.
        let site = try trial.site(Site.Plan(stalledAfterSeconds: 600, failedAfterSeconds: 3600))
        let shuffler = Shuffler(
            site: site,
            jobCount: jobCount,
            threadCount: threadCount,
            way: way,
            seed: trial.seed
        )
        trial.atEnd { shuffler.abandon() }
        var generator = trial.generator()
        while !shuffler.isOver {
            if let meanwhile { try meanwhile(site, &generator) } else { pause(milliseconds: 50) }
        }
        let result = try shuffler.result()
        trial.acknowledged(result.acknowledgedCount)
        trial.fault(result.disorderCount)
        var findings = Findings()
        findings.wrong = result.unexpected
        let connection = try site.connection()
        for job in result.jobs {
            let stored = try StoredJob(connection, job: job.id)
            if let difference = try job.difference(stored) {
                findings.wrong.append("\(job.id): \(difference)")
            }
        }
        findings.wrong += try TableRules.breaches(connection)
        trial.add(findings)
    }
}
