import Foundation
import StackSupport
import TestSupport

/// The parts whose subjects are compared with one another: they take turns, in every second round backwards.
final class Rounds {
    private struct Subject {
        let part: Part
        let name: String
        let measure: () throws -> [String: Double]
    }

    /// A subject that is measured for a second at a time.
    private struct Turn {
        let name: String
        let measure: (_ seconds: Double) throws -> Stretch
    }

    /// What came of one turn, or of several.
    private struct Stretch {
        var updateCount: Int
        var faultCount = 0
        var batches: Latencies?
        var cost: Cost

        mutating func add(_ other: Stretch) {
            updateCount += other.updateCount
            faultCount += other.faultCount
            cost.add(other.cost)
            if let more = other.batches { batches?.add(more) }
        }

        var values: [String: Double] {
            let latencies = batches.map(Figures.latency) ?? [:]
            var values = Figures.cost(cost, updateCount: updateCount)
                .merging(latencies.map { ("batch_\($0.key)", $0.value) }) { $1 }
            if batches == nil { values["faults"] = Double(faultCount) }
            return values
        }
    }

    private static let lateShare = 1

    private let bench: Workbench
    private let clientCounts: [Int]
    private let database: BenchDatabase
    private let site: BenchSite
    private let counter = MessageCounter()
    private let jobs: JobSet
    private let oldJobs: JobSet
    private let nginx: Nginx?
    private let writerLoad: WriterLoad
    private let rawBulk: RawBulk
    private var ledger: Ledger
    private var oldLedger: Ledger

    static func name(path connections: Int) -> String { "path, \(connections) clients" }
    static func name(nginx connections: Int) -> String { "nginx, \(connections) clients" }
    static func name(rawBulk connections: Int) -> String { "raw bulk, \(connections) conn." }
    static let writerName = "writer alone"
    static let oldName = "path, old clients"
    static let lateName = "path, 1 % late"

    init(_ bench: Workbench) throws {
        self.bench = bench
        clientCounts = bench.options.clientCounts
        jobs = JobSet(prefix: "backup-vm", count: bench.options.jobCount, diskCount: 2)
        oldJobs = JobSet(prefix: "backup-od", count: bench.options.jobCount, diskCount: 2)
        ledger = Ledger(jobs)
        oldLedger = Ledger(oldJobs)
        database = try BenchDatabase(bench.server)
        try database.fill(jobs)
        try database.fill(Prober.jobs)
        if bench.options.parts.contains(.mix) { try database.fill(oldJobs) }
        site = try BenchSite(database)
        try site.start([site.writer, site.ingest])
        writerLoad = WriterLoad(endpoint: site.writerEndpoint, jobs: jobs, counter: counter)
        rawBulk = RawBulk(database.settings, jobs: jobs, counter: counter)
        let wantsNginx = bench.options.parts.contains(.door)
        nginx = wantsNginx && Nginx.isThere ? try Nginx() : nil
        if wantsNginx, nginx == nil {
            bench.results.notes.append("There is no nginx here (package nginx-light): it was left out.")
        }
    }

    /// Measures all subjects of the parts that are wanted.
    func run() throws {
        let subjects = subjects()
        try tellAll()
        for round in 1...bench.options.roundCount {
            // The database's subjects are the last, and so the first of every second round.
            if round % 2 == 0 { try takeTurns(round) }
            for subject in round % 2 == 1 ? subjects : subjects.reversed() {
                bench.settle()
                bench.keep(subject.part, subject.name, round: round, try subject.measure())
            }
            if round % 2 == 1 { try takeTurns(round) }
        }
        try bench.verify(ledger, in: database)
        try bench.verify(oldLedger, in: database, hasSeq: false)
        try site.stop()
        try database.drop()
    }

    /// What is measured is how jobs go on, not how the writer gets to know them.
    private func tellAll() throws {
        try writerLoad.tellAll(window: clientCounts[2], ledger: &ledger)
        guard bench.options.parts.contains(.mix) else { return }
        let old = WriterLoad(endpoint: site.writerEndpoint, jobs: oldJobs, isOld: true, counter: counter)
        try old.tellAll(window: clientCounts[2], ledger: &oldLedger)
    }

    private func subjects() -> [Subject] {
        let parts = Set(bench.options.parts)
        var subjects: [Subject] = []
        if nginx != nil {
            subjects += clientCounts.prefix(2).map { count in
                Subject(part: .door, name: Self.name(nginx: count)) { try self.nginx(count) }
            }
        }
        var connections: [Int] = []
        if parts.contains(.path) {
            connections = clientCounts
        } else if parts.contains(.door) {
            connections = Array(clientCounts.prefix(2))
        } else if parts.contains(.mix) {
            connections = [clientCounts[1]]
        }
        subjects += connections.map { count in
            Subject(part: .path, name: Self.name(path: count)) {
                try self.path(count, Self.name(path: count))
            }
        }
        if parts.contains(.mix) {
            subjects.append(Subject(part: .mix, name: Self.oldName) { try self.old() })
            subjects.append(
                Subject(part: .mix, name: Self.lateName) {
                    try self.path(self.clientCounts[1], Self.lateName, latePercent: Self.lateShare)
                }
            )
        }
        return subjects
    }

    /// Measures the writer and raw bulk for a second each, again and again: what a machine gives changes from one second
    /// to the next, and these are compared by their rates.
    private func takeTurns(_ round: Int) throws {
        let turns = turns()
        var sums: [String: Stretch] = [:]
        let turnCount = max(1, Int(bench.options.seconds))
        for number in 0..<turnCount {
            for turn in number % 2 == 0 ? turns : turns.reversed() {
                bench.settle()
                var sum = try turn.measure(bench.options.seconds / Double(turnCount))
                if let earlier = sums[turn.name] { sum.add(earlier) }
                sums[turn.name] = sum
            }
        }
        for turn in turns {
            if let sum = sums[turn.name] { bench.keep(.writer, turn.name, round: round, sum.values) }
        }
    }

    private func turns() -> [Turn] {
        let parts = Set(bench.options.parts)
        var turns: [Turn] = []
        if parts.contains(.writer) {
            turns.append(Turn(name: Self.writerName) { try self.writer($0) })
        }
        if parts.contains(.writer) || parts.contains(.path) {
            turns += (parts.contains(.writer) ? [1, 2] : [1]).map { count in
                Turn(name: Self.name(rawBulk: count)) { try self.rawBulk(count, $0) }
            }
        }
        return turns
    }

    private func nginx(_ connections: Int) throws -> [String: Double] {
        guard let nginx else { return [:] }
        let load = try HTTPLoad(
            port: nginx.port,
            connectionCount: connections,
            jobs: jobs,
            counter: counter,
            goodStatus: 204
        )
        let outcome = try load.run(.closed, seconds: bench.options.seconds, meter: nginx.meter())
        bench.judge(Self.name(nginx: connections), outcome)
        return Figures.http(outcome)
    }

    private func path(_ connections: Int, _ name: String, latePercent: Int = 0) throws -> [String: Double] {
        let load = try HTTPLoad(
            port: site.ingestPort,
            connectionCount: connections,
            jobs: jobs,
            counter: counter,
            latePercent: latePercent
        )
        try site.forgetMemoryPeaks()
        let probes = Prober.start(
            database.settings,
            port: site.ingestPort,
            firstNumber: counter.take(Prober.jobs.count)
        )
        let outcome = try load.run(.closed, seconds: bench.options.seconds, meter: site.meter())
        for line in try probes.value() { bench.fault(line) }
        bench.judge(name, outcome)
        ledger.add(load.ledger)
        return Figures.http(outcome).merging(try site.memoryPeaks()) { $1 }
    }

    private func old() throws -> [String: Double] {
        let load = try HTTPLoad(
            port: site.ingestPort,
            connectionCount: clientCounts[1],
            kind: .old,
            jobs: oldJobs,
            counter: counter
        )
        let outcome = try load.run(.closed, seconds: bench.options.seconds, meter: site.meter())
        bench.judge(Self.oldName, outcome)
        oldLedger.add(load.ledger)
        return Figures.http(outcome)
    }

    private func writer(_ seconds: Double) throws -> Stretch {
        let outcome = try writerLoad.run(
            seconds: seconds,
            // As many as the whole path's clients have under way.
            window: clientCounts[2],
            meter: site.meter(),
            ledger: &ledger
        )
        let notApplied = outcome.others + outcome.unanswered
        if notApplied > outcome.applied / 100 {
            bench.fault("\(Self.writerName): \(notApplied) messages were not applied")
        }
        return Stretch(updateCount: outcome.applied, faultCount: notApplied, cost: outcome.cost)
    }

    private func rawBulk(_ connections: Int, _ seconds: Double) throws -> Stretch {
        let outcome = try rawBulk.run(
            seconds: seconds,
            connectionCount: connections,
            meter: site.meter()
        )
        return Stretch(updateCount: outcome.committed, batches: outcome.batches, cost: outcome.cost)
    }
}
