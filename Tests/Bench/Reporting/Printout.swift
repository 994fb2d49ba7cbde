import Foundation
import Glibc

/// What the bench prints.
enum Printout {
    /// Prints a line at once, also where the output is a file that somebody follows.
    static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    /// A sample, as soon as it is there.
    static func tell(_ sample: Sample) {
        let values = sample.values
        var parts = ["  \(sample.round)  \(padded(sample.subject, 24))"]
        if let rate = values["rate_per_s"] { parts.append("\(number(rate))/s".leading(10)) }
        if let p50 = values["p50_ms"], let p99 = values["p99_ms"] {
            parts.append("p50 \(number(p50)) p99 \(number(p99)) ms")
        }
        if let cpu = values["cpu_us"] { parts.append("CPU \(number(cpu)) us") }
        if let others = values["others_share"] { parts.append("others \(percent(others))") }
        say(parts.joined(separator: "  "))
    }

    /// All tables.
    static func tables(_ results: Results) {
        for (title, columns) in layouts {
            let rows = results.subjects.compactMap { subject -> [String]? in
                let cells = columns.map { column -> String in
                    let rounds = results.rounds(subject.name, column.value)
                    guard let median = rounds.median else { return "" }
                    let scaled = column.isShare ? percent(median) : number(median)
                    guard column.hasRange, rounds.count > 1, let low = rounds.min(), let high = rounds.max()
                    else { return scaled }
                    return "\(scaled) (\(number(low))-\(number(high)))"
                }
                return cells[0].isEmpty ? nil : [subject.name] + cells
            }
            if !rows.isEmpty { table([title] + columns.map(\.title), rows) }
        }
        if !results.targets.isEmpty { targets(results.targets) }
        for note in results.notes { say(note) }
        say("\(results.verifiedJobCount) jobs compared with what was acknowledged.")
        for fault in results.faults.prefix(20) { say("FAULT  \(fault)") }
        if results.faults.count > 20 { say("FAULT  … and \(results.faults.count - 20) more") }
        say(String(format: "%.0f s in all, SEED=%@", results.seconds, results.options["SEED"] ?? ""))
    }

    private struct Column {
        var title: String
        var value: String
        var isShare = false
        var hasRange = false
    }

    private static let layouts: [(String, [Column])] = [
        (
            "subject",
            [
                Column(title: "rate/s (rounds)", value: "rate_per_s", hasRange: true),
                Column(title: "CPU us", value: "cpu_us"),
                Column(title: "nginx", value: "nginx_cpu_us"),
                Column(title: "ingest", value: "ingest_cpu_us"),
                Column(title: "writer", value: "writer_cpu_us"),
                Column(title: "mariadbd", value: "mariadbd_cpu_us"),
                Column(title: "load", value: "load_cpu_us"),
                Column(title: "others", value: "others_share", isShare: true),
                Column(title: "not served", value: "faults"),
            ]
        ),
        (
            "latency, ms",
            [
                Column(title: "p50", value: "p50_ms"), Column(title: "p90", value: "p90_ms"),
                Column(title: "p99", value: "p99_ms", hasRange: true),
                Column(title: "p99.9", value: "p99_9_ms"), Column(title: "p100", value: "p100_ms"),
            ]
        ),
        (
            "memory, MiB",
            [
                Column(title: "ingest", value: "ingest_memory_mib"),
                Column(title: "writer", value: "writer_memory_mib"),
                Column(title: "mariadbd", value: "mariadbd_memory_mib"),
            ]
        ),
    ]

    private static func targets(_ targets: [Target]) {
        table(
            ["target", "must", "aim", "median", "rounds", "reached"],
            targets.map { target in
                let sign = target.direction == .atLeast ? ">=" : "<="
                return [
                    target.name,
                    target.must.map { "\(sign) \(number($0)) \(target.unit)" } ?? "",
                    target.aim.map { "\(sign) \(number($0)) \(target.unit)" } ?? "",
                    "\(number(target.value)) \(target.unit)",
                    target.rounds.map(number).joined(separator: " "),
                    target.reached,
                ]
            }
        )
    }

    private static func table(_ head: [String], _ rows: [[String]]) {
        let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
        say("")
        for row in [head] + rows {
            let cells = row.enumerated().map { place, cell in
                place == 0 ? padded(cell, widths[0]) : cell.leading(widths[place])
            }
            say(cells.joined(separator: "  "))
        }
    }

    /// Three digits, or whole ones.
    static func number(_ value: Double) -> String {
        switch abs(value) {
        case 100...: String(format: "%.0f", value)
        case 10..<100: String(format: "%.1f", value)
        case 0: "0"
        default: String(format: "%.2f", value)
        }
    }

    private static func percent(_ share: Double) -> String { String(format: "%.0f %%", share * 100) }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

extension String {
    /// With spaces in front, up to a width.
    fileprivate func leading(_ width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
