import Database
import StackSupport
import TestSupport
import Threading

/// How late jobs are marked that fall silent one after the other, in a large table, while others are updated.
struct StalePart {
    static let name = "stale marks"
    private static let stalledAfterSeconds = 15
    /// Jobs that fall silent.
    private static let victimCount = 500
    /// Within so many seconds, at even distances.
    private static let victimSeconds = 10.0
    /// None of the others may fall silent meanwhile: each reports every four seconds or so.
    private static let activeCounts = 1000...20_000
    private static let activeSeconds = 4.0
    private static let connectionCount = 256

    /// - Parameters:
    ///   - bench: where the results go.
    ///   - perSecond: updates meanwhile.
    /// - Throws: where it cannot be measured.
    static func run(_ bench: Workbench, perSecond: Double) throws {
        let database = try BenchDatabase(bench.server)
        let activeCount = min(
            max(Int(perSecond * activeSeconds), activeCounts.lowerBound),
            activeCounts.upperBound
        )
        let quietCount = max(1, bench.options.staleJobCount - activeCount - victimCount)
        let active = JobSet(prefix: "backup-vm", count: activeCount, diskCount: 2)
        let victims = JobSet(prefix: "backup-vi", count: victimCount, diskCount: 1)
        // Half of them over, half of clients that never tell anything: the index is full of both.
        try database.fill(
            JobSet(prefix: "backup-qu", count: quietCount, diskCount: 1),
            hasEnded: "seq % 2 = 0"
        )
        try database.fill(active)
        try database.fill(victims)
        let site = try BenchSite(
            database,
            variables: ["SENDENSE_STALLED_AFTER": "\(stalledAfterSeconds)", "SENDENSE_FAILED_AFTER": "600"]
        )
        try site.start([site.writer, site.ingest, site.detector])
        let port = site.ingestPort
        let told = ThreadRun<HTTPLoad.Outcome> {
            // Once the load is under way.
            Pause.milliseconds(2000)
            let load = try HTTPLoad(
                port: port,
                connectionCount: 16,
                jobs: victims,
                counter: MessageCounter()
            )
            return try load.run(
                .even(perSecond: Double(victimCount) / victimSeconds),
                warmUpSeconds: 0,
                seconds: victimSeconds,
                meter: Meter(processes: [])
            )
        }
        let load = try HTTPLoad(
            port: port,
            connectionCount: connectionCount,
            jobs: active,
            counter: MessageCounter()
        )
        let outcome = try load.run(
            .poisson(perSecond: perSecond),
            warmUpSeconds: 2,
            seconds: victimSeconds + Double(stalledAfterSeconds) + 4,
            meter: site.meter(),
            seed: bench.seed()
        )
        bench.judge(name, outcome)
        bench.judge("victims of \(name)", try told.value())
        var values = Figures.http(outcome)
        values["rows"] = Double(bench.options.staleJobCount)
        try values.merge(lateness(bench, database)) { $1 }
        bench.keep(.stale, name, round: 1, values)
        try bench.verify(load.ledger, in: database)
        try site.stop()
        try database.drop()
    }

    private static func lateness(_ bench: Workbench, _ database: BenchDatabase) throws -> [String: Double] {
        // What failed to be marked by now is as late as it is by now.
        let rows = try database.connection.query(
            """
            SELECT IFNULL(e.at_ms, \(ServerClock.milliseconds)) - j.last_contact_ms
                - \(stalledAfterSeconds * 1000), e.at_ms IS NULL
            FROM backup_jobs j LEFT JOIN job_events e ON e.job_id = j.id AND e.to_status = 'stalled'
            WHERE j.id LIKE 'backup-vi%' AND j.last_contact_ms IS NOT NULL
            """
        )
        let lateness = try rows.map { Double(try $0.int(0)) / 1000 }.sorted()
        let unmarked = try rows.filter { try $0.int(1) == 1 }.count
        guard let last = lateness.last else {
            bench.fault("\(name): none of the jobs that were to fall silent was heard of")
            return [:]
        }
        if unmarked > 0 { bench.fault("\(name): \(unmarked) silent jobs are not marked") }
        let wrong = try database.connection.query(
            "SELECT COUNT(*) FROM job_events WHERE to_status = 'stalled' AND job_id LIKE 'backup-vm%'"
        )[0].int(0)
        if wrong > 0 {
            bench.results.notes.append("\(name): \(wrong) marks of jobs that the load left alone")
        }
        return [
            "marked": Double(lateness.count - unmarked), "lateness_p50_s": lateness[lateness.count / 2],
            "lateness_p100_s": last,
        ]
    }
}
