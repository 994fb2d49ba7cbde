/// Latency at 10, 50 and 90 % of the peak, by a plan of arrivals that knows nothing of the server.
struct LatencyPart {
    static let sharePercents = [10, 50, 90]
    private static let connectionCount = 1024
    private static let tellWindow = 4096

    static func name(_ percent: Int) -> String { "open, \(percent) % of peak" }

    /// - Parameters:
    ///   - bench: where the results go.
    ///   - peakPerSecond: the peak; nil: it is looked for first.
    /// - Throws: where it cannot be measured.
    static func run(_ bench: Workbench, peakPerSecond: Double?) throws {
        let database = try BenchDatabase(bench.server)
        let jobs = JobSet(prefix: "backup-vm", count: bench.options.jobCount, diskCount: 2)
        try database.fill(jobs)
        let site = try BenchSite(database)
        try site.start([site.writer, site.ingest])
        let counter = MessageCounter()
        // As in the other parts: what is measured is how jobs go on.
        var ledger = Ledger(jobs)
        try WriterLoad(endpoint: site.writerEndpoint, jobs: jobs, counter: counter)
            .tellAll(window: tellWindow, ledger: &ledger)
        func load() throws -> HTTPLoad {
            try HTTPLoad(
                port: site.ingestPort,
                connectionCount: connectionCount,
                jobs: jobs,
                counter: counter
            )
        }
        let peak =
            try peakPerSecond
            ?? load().run(.closed, seconds: bench.options.seconds, meter: site.meter()).ratePerSecond
        for round in 1...bench.options.roundCount {
            for percent in round % 2 == 1 ? sharePercents : sharePercents.reversed() {
                bench.settle()
                let load = try load()
                let commits = try WriterTimes(site.writer)
                let outcome = try load.run(
                    .poisson(perSecond: peak * Double(percent) / 100),
                    seconds: bench.options.seconds,
                    meter: site.meter(),
                    seed: bench.seed()
                )
                bench.judge(name(percent), outcome)
                var values = Figures.http(outcome).merging(try WriterTimes(site.writer).since(commits)) { $1 }
                values["wanted_per_s"] = peak * Double(percent) / 100
                bench.keep(.latency, name(percent), round: round, values)
                ledger.add(load.ledger)
                try bench.verify(ledger, in: database)
            }
        }
        try site.stop()
        try database.drop()
    }
}
