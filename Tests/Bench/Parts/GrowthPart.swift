/// What an update costs in tables of different sizes, with different numbers of running jobs, and for jobs with different
/// numbers of disks.
struct GrowthPart {
    /// One step: so many rows of jobs, of which so many run, each with so many disks.
    struct Step {
        var axis: String
        var rowCount: Int
        var runningCount: Int
        var diskCount: Int
        var amount: Int

        var name: String { "\(axis) \(amount)" }
    }

    static let rowAxis = "rows"
    static let jobAxis = "jobs"
    static let diskAxis = "disks"
    private static let connectionCount = 256
    /// The jobs that run in tables of different sizes: all of the smallest.
    private static let runningCount = 1000
    /// Beyond so many running jobs no writer remembers them all: each is read, and nothing is gained by telling of all
    /// of them before.
    private static let knownCountMax = 100_000
    /// Messages without an answer while the writer is told of each job.
    private static let window = 4096

    static func steps(jobCountMax: Int) -> [Step] {
        let jobCounts = [1000, 10_000, 100_000, 1_000_000].filter { $0 <= max(1000, jobCountMax) }
        return jobCounts.map {
            Step(axis: rowAxis, rowCount: $0, runningCount: runningCount, diskCount: 2, amount: $0)
        }
            + jobCounts.map { Step(axis: jobAxis, rowCount: $0, runningCount: $0, diskCount: 2, amount: $0) }
            + [1, 2, 4, 8, 16].map {
                Step(axis: diskAxis, rowCount: 5000, runningCount: 5000, diskCount: $0, amount: $0)
            }
    }

    static func run(_ bench: Workbench) throws {
        for step in steps(jobCountMax: bench.options.growthJobCount) { try run(bench, step) }
    }

    private static func run(_ bench: Workbench, _ step: Step) throws {
        let database = try BenchDatabase(bench.server)
        let spacing = step.rowCount / step.runningCount
        let jobs = JobSet(
            prefix: "backup-vm",
            count: step.runningCount,
            diskCount: step.diskCount,
            spacing: spacing
        )
        // Those that run lie all over the table.
        try database.fill(
            JobSet(prefix: jobs.prefix, count: step.rowCount, diskCount: step.diskCount),
            hasEnded: "seq % \(spacing) <> 0"
        )
        let site = try BenchSite(database)
        try site.start([site.writer, site.ingest])
        let counter = MessageCounter()
        if step.runningCount <= knownCountMax {
            var ledger = Ledger(jobs)
            try WriterLoad(endpoint: site.writerEndpoint, jobs: jobs, counter: counter)
                .tellAll(window: window, ledger: &ledger)
        }
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
