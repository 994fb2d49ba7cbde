import Database
import Foundation
import Glibc
import StackSupport
import TestSupport
import Threading

@main
enum Bench {
    static func main() throws {
        DatabaseLibrary.initialize()
        let server = try BenchServer()
        let database = try BenchDatabase(server)
        let jobs = JobSet(prefix: "backup-vm", count: 100_000, diskCount: 2)
        try database.fill(jobs)
        let site = try BenchSite(database)
        try site.start([site.writer])
        let counter = MessageCounter()
        var ledger = Ledger(jobs)
        let load = WriterLoad(endpoint: site.writerEndpoint, jobs: jobs, counter: counter)
        let raw = RawBulk(database.settings, jobs: jobs, counter: counter)
        func tell(_ name: String, _ count: Int, _ cost: Cost) {
            let cpu = cost.cpuSeconds.map { "\($0.key) \(String(format: "%.1f", $0.value * 1e6 / Double(count)))" }
            print(name, "rate", Int(Double(count) / cost.seconds), "cpu", cpu.joined(separator: " "), "load", String(format: "%.1f", cost.loadSeconds * 1e6 / Double(count)), "others", String(format: "%.2f", cost.othersShare))
            fflush(nil)
        }
        for _ in 0..<3 {
            let outcome = try load.run(seconds: 3, window: 4096, meter: site.meter(), ledger: &ledger)
            tell("writer", outcome.applied, outcome.cost)
            print(outcome.others, outcome.unanswered)
            for lanes in 1...2 {
                let outcome = try raw.run(seconds: 3, connectionCount: lanes, meter: site.meter())
                tell("raw \(lanes)", outcome.committed, outcome.cost)
            }
        }
        var generator = SplitMix64(seed: 1)
        print(try ledger.verify(database.connection, hasSeq: true, using: &generator))
        try site.stop()
        exit(0)
    }
}
