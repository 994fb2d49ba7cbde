import Foundation
import Synchronization
import Testing
import Threading

/// Goal: the promises hold whatever goes wrong, and in whatever order. Method: the shipped machines, put together in
/// one thread on virtual time, with clients and faults from a seed; ten thousand seeds. A seed that fails is named;
/// `SENDENSE_SIM_SEED=N ./dev test --filter Simulation` plays it again, with every event.
@Suite struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment

    @Test func `whatever goes wrong, the tables are never wrong about a job`() async throws {
        let chosen = Self.environment["SENDENSE_SIM_SEED"].flatMap(UInt64.init)
        let count = Self.environment["SENDENSE_SIM_SEEDS"].flatMap(UInt64.init) ?? 10_000
        let run = SeedRun(seeds: chosen.map { $0..<$0 + 1 } ?? 0..<count, isTracing: chosen != nil)
        let results = await run.results()
        for failure in results.failures.prefix(20) {
            Issue.record(
                "seed \(failure.seed): \(failure.violation). Again: SENDENSE_SIM_SEED=\(failure.seed)"
            )
        }
        print("simulation: \(results.words)")
        #expect(chosen != nil || results.markCount > 0, "no client has died")
    }
}
