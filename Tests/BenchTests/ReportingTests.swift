import Foundation
import TestSupport
import Testing

@testable import Bench

@Suite struct ReportingTests {
    private func target(_ direction: Target.Direction, value: Double, aim: Double? = 25) -> Target {
        Target(name: "", unit: "", direction: direction, must: 50, aim: aim, value: value, rounds: [value])
    }

    @Test func `must and aim are limits that count as reached`() {
        #expect(target(.atMost, value: 25).reached == "aim")
        #expect(target(.atMost, value: 50).reached == "must")
        #expect(target(.atMost, value: 50.1).reached == "missed")
        #expect(target(.atMost, value: 1, aim: nil).reached == "must")
        #expect(target(.atLeast, value: 49).reached == "missed")
        #expect(target(.atLeast, value: 50, aim: 60).reached == "must")
    }

    @Test func `stretches add up, and the share of others by their length`() {
        var cost = Cost(seconds: 1, cpuSeconds: ["a": 1, "b": 2], loadSeconds: 0.25, othersShare: 0.5)
        cost.add(Cost(seconds: 3, cpuSeconds: ["b": 3, "c": 4], loadSeconds: 0.5, othersShare: 0.1))
        #expect(cost.seconds == 4)
        #expect(cost.cpuSeconds == ["a": 1, "b": 5, "c": 4])
        #expect(cost.loadSeconds == 0.75)
        #expect(abs(cost.othersShare - 0.2) < 1e-9)
    }

    @Test func `a ratio is taken round by round, with the best of each`() throws {
        var results = try Results(BenchOptions(["SEED": "1"]), mariadb: "10.11")
        let rates = [(1, 4000.0, 5000.0, 10_000.0), (2, 7000, 6000, 10_000), (3, 1000, 2000, 10_000)]
        for (round, few, many, raw) in rates {
            results.add(.path, Rounds.name(path: 64), round: round, ["rate_per_s": few])
            results.add(.path, Rounds.name(path: 1024), round: round, ["rate_per_s": many])
            results.add(.writer, Rounds.name(rawBulk: 1), round: round, ["rate_per_s": raw])
        }
        let targets = Targets(results, clientCounts: [64, 1024, 4096]).all
        #expect(targets.count == 1)
        #expect(targets.first?.rounds == [0.5, 0.7, 0.2])
        #expect(targets.first?.value == 0.5 && targets.first?.reached == "must")
    }

    @Test func `what a file holds comes to pictures`() throws {
        var results = try Results(BenchOptions(["SEED": "1"]), mariadb: "10.11")
        for step in GrowthPart.steps(jobCountMax: 100_000) {
            results.add(
                .growth,
                step.name,
                round: 1,
                ["cpu_us": 60, "ingest_cpu_us": 10, "writer_cpu_us": 20, "mariadbd_cpu_us": 30]
            )
        }
        for percent in LatencyPart.sharePercents {
            let values = ["p50_ms": 1.0, "p90_ms": 4, "p99_ms": 20, "p99_9_ms": 50, "p99_99_ms": 90]
            results.add(.latency, LatencyPart.name(percent), round: 1, values)
        }
        let folder = FileManager.default.temporaryDirectory.appending(path: "plots-\(UUID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try results.write(to: "\(folder)/result.json")
        try Plots.make(from: ["\(folder)/result.json"], in: folder)
        let made = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        #expect(
            made == [
                "growth-disks.svg", "growth-jobs.svg", "growth-memory.svg", "growth-rows.svg", "latency.svg",
                "result.json",
            ]
        )
        let picture = try String(contentsOfFile: "\(folder)/growth-disks.svg", encoding: .utf8)
        // A box of the paper, three of the legend, and five stacks of three.
        #expect(picture.components(separatedBy: "<rect").count - 1 == 19)
    }

    @Test(arguments: ["ONLY=everything", "ROUNDS=0", "CLIENTS=1,2", "JOBS=many"])
    func `a setting that makes no sense is refused`(setting: String) {
        let parts = setting.split(separator: "=").map(String.init)
        #expect(throws: (any Error).self) { try BenchOptions([parts[0]: parts[1]]) }
    }
}
