/// The values of a sample, by name.
enum Figures {
    /// What a stretch of time cost for so many updates.
    static func cost(_ cost: Cost, updateCount: Int) -> [String: Double] {
        guard cost.seconds > 0 else { return [:] }
        var values = ["rate_per_s": Double(updateCount) / cost.seconds, "others_share": cost.othersShare]
        // Nothing was served: there is nothing that the CPU time was spent for.
        guard updateCount > 0 else { return values }
        let count = Double(updateCount)
        values["load_cpu_us"] = cost.loadSeconds * 1e6 / count
        values["cpu_us"] = cost.cpuSeconds.values.reduce(0, +) * 1e6 / count
        for (name, seconds) in cost.cpuSeconds { values["\(name)_cpu_us"] = seconds * 1e6 / count }
        return values
    }

    static func latency(_ latencies: Latencies) -> [String: Double] {
        guard latencies.count > 0 else { return [:] }
        return [
            "p50_ms": latencies.milliseconds(percentile: 50),
            "p90_ms": latencies.milliseconds(percentile: 90),
            "p99_ms": latencies.milliseconds(percentile: 99),
            "p99_9_ms": latencies.milliseconds(percentile: 99.9),
            "p99_99_ms": latencies.milliseconds(percentile: 99.99),
            "p100_ms": latencies.milliseconds(percentile: 100),
        ]
    }

    static func http(_ outcome: HTTPLoad.Outcome) -> [String: Double] {
        var values = cost(outcome.cost, updateCount: outcome.served).merging(latency(outcome.latencies)) {
            $1
        }
        values["faults"] = Double(outcome.faultCount)
        values["sent"] = Double(outcome.sentInAll)
        return values
    }
}
