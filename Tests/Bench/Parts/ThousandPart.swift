/// What the whole stack uses for a thousand running jobs, each with a connection of its own and a report every five
/// seconds.
struct ThousandPart {
    static let name = "1,000 jobs, 200/s"
    private static let jobCount = 1000
    private static let perSecond = 200.0
    /// Each job has been heard of before: what it costs to get to know them is another matter.
    private static let warmUpSeconds = 6.0

    static func run(_ bench: Workbench) throws {
        let database = try BenchDatabase(bench.server)
        let jobs = JobSet(prefix: "backup-vm", count: jobCount, diskCount: 2)
        try database.fill(jobs)
        let site = try BenchSite(database)
        try site.start([site.writer, site.ingest, site.detector])
        let counter = MessageCounter()
        for round in 1...bench.options.roundCount {
            let load = try HTTPLoad(
                port: site.ingestPort,
                connectionCount: jobCount,
                jobs: jobs,
                counter: counter
            )
            let commits = try WriterTimes(site.writer)
            let outcome = try load.run(
                .even(perSecond: perSecond),
                warmUpSeconds: warmUpSeconds,
                seconds: max(2, bench.options.seconds),
                meter: site.meter()
            )
            bench.judge(name, outcome)
            var values = Figures.http(outcome).merging(try WriterTimes(site.writer).since(commits)) { $1 }
            values["core_share"] = outcome.cost.cpuSeconds.values.reduce(0, +) / outcome.cost.seconds
            bench.keep(.thousand, name, round: round, values)
            try bench.verify(load.ledger, in: database)
        }
        try site.stop()
        try database.drop()
    }
}
