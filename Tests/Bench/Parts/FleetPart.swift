import Foundation

/// A large fleet, each job reporting every five seconds: spread evenly over that time, and all at the same instant.
struct FleetPart {
    private static let cadenceSeconds = 5.0
    private static let connectionCount = 4096

    static func run(_ bench: Workbench) throws {
        let database = try BenchDatabase(bench.server)
        let jobs = JobSet(prefix: "backup-vm", count: bench.options.jobCount, diskCount: 2)
        try database.fill(jobs)
        let site = try BenchSite(database)
        try site.start([site.writer, site.ingest])
        let counter = MessageCounter()
        // Whole cadences, so that each job reports as often as any other.
        let seconds = cadenceSeconds * max(1, (bench.options.seconds / cadenceSeconds).rounded(.up))
        let paces: [(name: String, pace: HTTPLoad.Pace)] = [
            ("fleet, spread", .even(perSecond: Double(jobs.count) / cadenceSeconds)),
            ("fleet, lockstep", .lockstep(count: jobs.count, everySeconds: cadenceSeconds)),
        ]
        for round in 1...bench.options.roundCount {
            for (name, pace) in round % 2 == 1 ? paces : paces.reversed() {
                bench.settle()
                let load = try HTTPLoad(
                    port: site.ingestPort,
                    connectionCount: connectionCount,
                    jobs: jobs,
                    counter: counter
                )
                try site.forgetMemoryPeaks()
                let outcome = try load.run(
                    pace,
                    warmUpSeconds: 0,
                    seconds: seconds,
                    meter: site.meter(),
                    seed: bench.seed()
                )
                bench.judge(name, outcome)
                var values = Figures.http(outcome).merging(try site.memoryPeaks()) { $1 }
                values["wanted_per_s"] = Double(jobs.count) / cadenceSeconds
                bench.keep(.fleet, name, round: round, values)
                try bench.verify(load.ledger, in: database)
            }
        }
        try site.stop()
        try database.drop()
    }
}
