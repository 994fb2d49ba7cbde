/// What is to be reached, and what was.
struct Targets {
    private let results: Results
    private let clientCounts: [Int]

    init(_ results: Results, clientCounts: [Int]) {
        self.results = results
        self.clientCounts = clientCounts
    }

    /// All targets of which everything was measured.
    var all: [Target] {
        ratios + costs
    }

    private var ratios: [Target] {
        let http = clientCounts.prefix(2)
        // Each at the number of connections at which it is cheapest.
        let nginx = best(http.map { results.rounds(Rounds.name(nginx: $0), "nginx_cpu_us") }, min)
        let ingest = best(
            http.map { results.rounds(Rounds.name(path: $0), "ingest_cpu_us") },
            min
        )
        let path = best(
            clientCounts.map { results.rounds(Rounds.name(path: $0), "rate_per_s") },
            max
        )
        let all = results.rounds(Rounds.name(path: clientCounts[1]), "rate_per_s")
        let raw = results.rounds(Rounds.name(rawBulk: 1), "rate_per_s")
        let raw2 = results.rounds(Rounds.name(rawBulk: 2), "rate_per_s")
        let writer = results.rounds(Rounds.writerName, "rate_per_s")
        let old = results.rounds(Rounds.oldName, "rate_per_s")
        return [
            target("CPU per request, nginx / ingest", "", .atLeast, 0.40, 0.55, divide(nginx, ingest)),
            target(
                "rate, writer alone / raw bulk on 2 connections",
                "",
                .atLeast,
                0.85,
                0.95,
                divide(writer, raw2)
            ),
            target(
                "CPU, raw bulk on 2 connections / writer alone",
                "",
                .atLeast,
                nil,
                nil,
                divide(
                    results.rounds(Rounds.name(rawBulk: 2), "cpu_us"),
                    results.rounds(Rounds.writerName, "cpu_us")
                )
            ),
            target(
                "rate, whole path / raw bulk on 1 connection",
                "",
                .atLeast,
                0.45,
                0.60,
                divide(path, raw)
            ),
            target("rate, old clients / new clients", "", .atLeast, 0.5, 0.8, divide(old, all)),
        ].compactMap { $0 }
    }

    private var costs: [Target] {
        func values(_ subject: String, _ value: String) -> [Double] { results.rounds(subject, value) }
        let half = LatencyPart.name(50)
        let many = Rounds.name(path: clientCounts[2])
        return [
            target("p99 at half the peak", "ms", .atMost, 50, 25, values(half, "p99_ms")),
            target(
                "database, p99 of a transaction, 200/s",
                "ms",
                .atMost,
                10,
                nil,
                values(ThousandPart.name, "database_p99_ms")
            ),
            target(
                "database, mean per update, 200/s",
                "ms",
                .atMost,
                10,
                1,
                values(ThousandPart.name, "database_mean_ms")
            ),
            target(
                "database, mean per update, half the peak",
                "ms",
                .atMost,
                10,
                1,
                values(half, "database_mean_ms")
            ),
            target(
                "whole stack, 1,000 running jobs",
                "% of a core",
                .atMost,
                15,
                8,
                values(ThousandPart.name, "core_share").map { $0 * 100 }
            ),
            target("memory of ingest at the peak", "MiB", .atMost, 64, 32, values(many, "ingest_memory_mib")),
            target("memory of writer at the peak", "MiB", .atMost, 64, 32, values(many, "writer_memory_mib")),
            target(
                "lateness of stale marks, p100",
                "s",
                .atMost,
                1,
                0.5,
                values(StalePart.name, "lateness_p100_s")
            ),
        ].compactMap { $0 }
    }

    /// nil where there is nothing to judge by.
    private func target(
        _ name: String,
        _ unit: String,
        _ direction: Target.Direction,
        _ must: Double?,
        _ aim: Double?,
        _ rounds: [Double]
    ) -> Target? {
        rounds.median.map { value in
            Target(
                name: name,
                unit: unit,
                direction: direction,
                must: must,
                aim: aim,
                value: value,
                rounds: rounds
            )
        }
    }

    /// Round by round: both sides of a ratio are of the same one.
    private func divide(_ above: [Double], _ below: [Double]) -> [Double] {
        // Where nothing at all was served there is nothing to compare; the faults tell.
        zip(above, below).filter { $1 > 0 }.map { $0 / $1 }
    }

    /// Round by round the best of several subjects.
    private func best(_ subjects: [[Double]], _ choose: (Double, Double) -> Double) -> [Double] {
        let measured = subjects.filter { !$0.isEmpty }
        guard let first = measured.first else { return [] }
        return measured.dropFirst().reduce(first) { best, rounds in zip(best, rounds).map(choose) }
    }
}
