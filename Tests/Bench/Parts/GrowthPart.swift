/// What an update costs in tables of different sizes, and for jobs with different numbers of disks.
struct GrowthPart {
    /// One step: so many jobs, each with so many disks.
    struct Step {
        var axis: String
        var jobCount: Int
        var diskCount: Int
        var amount: Int

        var name: String { "\(axis) \(amount)" }
    }

    static let jobAxis = "jobs"
    static let diskAxis = "disks"
    private static let connectionCount = 256

    static func steps(jobCountMax: Int) -> [Step] {
        let jobCounts = [1000, 10_000, 100_000, 1_000_000].filter { $0 <= max(1000, jobCountMax) }
        return jobCounts.map { Step(axis: jobAxis, jobCount: $0, diskCount: 2, amount: $0) }
            + [1, 2, 4, 8, 16].map { Step(axis: diskAxis, jobCount: 5000, diskCount: $0, amount: $0) }
    }

    static func run(_ bench: Workbench) throws {
        for step in steps(jobCountMax: bench.options.growthJobCount) { try run(bench, step) }
    }

    private static func run(_ bench: Workbench, _ step: Step) throws {
        let database = try BenchDatabase(bench.server)
        let jobs = JobSet(prefix: "backup-vm", count: step.jobCount, diskCount: step.diskCount)
        try database.fill(jobs)
        let site = try BenchSite(database)
        try site.start([site.writer, site.ingest])
        let counter = MessageCounter()
        for round in 1...bench.options.roundCount {
            bench.settle()
            let load = try HTTPLoad(
                port: site.ingestPort,
                connectionCount: connectionCount,
                jobs: jobs,
                counter: counter
            )
            try site.forgetMemoryPeaks()
            let outcome = try load.run(.closed, seconds: bench.options.seconds, meter: site.meter())
            bench.judge(step.name, outcome)
            var values = Figures.http(outcome).merging(try site.memoryPeaks()) { $1 }
            values[step.axis] = Double(step.amount)
            bench.keep(.growth, step.name, round: round, values)
            try bench.verify(load.ledger, in: database)
        }
        try site.stop()
        try database.drop()
    }
}
