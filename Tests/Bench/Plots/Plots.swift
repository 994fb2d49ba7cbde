import Foundation

/// The pictures of docs/performance.md, from the bench's files.
struct Plots {
    private static let processes = ["ingest", "writer", "mariadbd"]

    private let results: Results

    /// Makes the pictures of all that the files hold.
    ///
    /// - Parameters:
    ///   - paths: the files; a picture that several of them make is the last one's.
    ///   - folder: where the pictures go.
    /// - Throws: where a file cannot be read or written.
    static func make(from paths: [String], in folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for path in paths {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            let plots = Plots(results: try JSONDecoder().decode(Results.self, from: data))
            for (name, chart) in plots.charts {
                let file = "\(folder)/\(name).svg"
                try chart.svg.write(toFile: file, atomically: true, encoding: .utf8)
                Printout.say(file)
            }
        }
    }

    private var charts: [(name: String, chart: Chart)] {
        [
            ("cost", cost), ("latency", latency),
            ("growth-rows", growth(GrowthPart.rowAxis, "jobs in the table, 1000 of them running")),
            ("growth-jobs", growth(GrowthPart.jobAxis, "running jobs")),
            ("growth-disks", growth(GrowthPart.diskAxis, "disks of a job")), ("growth-memory", memory),
        ].compactMap { name, chart in chart.map { (name, $0) } }
    }

    private var cost: Chart? {
        let subjects: [(title: String, name: String, processes: [String])] =
            [
                ("nginx", Rounds.name(nginx: 64), ["nginx"])
            ] + [64, 1024, 4096].map { ("path, \($0)", Rounds.name(path: $0), Self.processes) } + [
                ("writer", Rounds.writerName, ["writer", "mariadbd"]),
                ("raw bulk, 2", Rounds.name(rawBulk: 2), ["mariadbd"]),
            ]
        let measured = subjects.filter { results.median($0.name, "cpu_us") != nil }
        guard !measured.isEmpty else { return nil }
        return Chart(
            title: "CPU per update",
            categoryTitle: "subject",
            valueTitle: "microseconds",
            categories: measured.map(\.title),
            series: (["nginx"] + Self.processes).map { process in
                Chart.Series(
                    name: process,
                    values: measured.map { subject in
                        subject.processes.contains(process)
                            ? results.median(subject.name, "\(process)_cpu_us") : nil
                    }
                )
            },
            style: .stacks
        )
    }

    private var latency: Chart? {
        let values = ["p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "p99_99_ms"]
        let percents = LatencyPart.sharePercents.filter {
            results.median(LatencyPart.name($0), "p50_ms") != nil
        }
        guard !percents.isEmpty else { return nil }
        return Chart(
            title: "Latency, open loop",
            categoryTitle: "percentile",
            valueTitle: "milliseconds",
            categories: ["50", "90", "99", "99.9", "99.99"],
            series: percents.map { percent in
                Chart.Series(
                    name: "\(percent) % of the peak",
                    values: values.map { results.median(LatencyPart.name(percent), $0) }
                )
            },
            style: .lines,
            isLogarithmic: true
        )
    }

    private func growth(_ axis: String, _ title: String) -> Chart? {
        chart(axis, title, "CPU per update", "microseconds", "cpu_us", .stacks)
    }

    private var memory: Chart? {
        chart(GrowthPart.jobAxis, "running jobs", "Peak of memory", "MiB", "memory_mib", .lines)
    }

    private func chart(
        _ axis: String,
        _ categoryTitle: String,
        _ title: String,
        _ valueTitle: String,
        _ value: String,
        _ style: Chart.Style
    ) -> Chart? {
        let steps = GrowthPart.steps(jobCountMax: .max)
            .filter { $0.axis == axis && results.median($0.name, "cpu_us") != nil }
        guard !steps.isEmpty else { return nil }
        // The database's memory is its configured pool: beside it the services would not be seen.
        let processes = style == .lines ? Self.processes.filter { $0 != "mariadbd" } : Self.processes
        return Chart(
            title: title,
            categoryTitle: categoryTitle,
            valueTitle: valueTitle,
            categories: steps.map { "\($0.amount)" },
            series: processes.map { process in
                Chart.Series(
                    name: process,
                    values: steps.map { results.median($0.name, "\(process)_\(value)") }
                )
            },
            style: style
        )
    }
}
