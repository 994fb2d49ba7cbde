import Foundation
import Glibc

/// What the lab prints.
enum Report {
    private static let lineCountMax = 12

    /// Prints a line at once, also where the output is a file that somebody follows.
    static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    static func list(_ scenarios: [Scenario]) {
        let width = scenarios.map(\.name.count).max() ?? 0
        for scenario in scenarios { say("\(padded(scenario.name, width))  \(scenario.summary)") }
    }

    /// What a scenario came to, as soon as it is over.
    static func tell(_ outcome: Outcome, _ options: LabOptions) {
        if let reason = outcome.leftOut { return say("    left out: \(reason)") }
        for note in outcome.notes { say("    \(note)") }
        guard outcome.hasFailed else { return }
        tell("LOST", outcome.lost)
        tell("WRONG", outcome.wrong)
        tell("FALSE MARK", outcome.falseMarks)
        say("    again: ./dev faults SCENARIO=\(outcome.scenario) SEED=\(options.seed)")
        say(outcome.logTails)
    }

    private static func tell(_ word: String, _ lines: [String]) {
        for line in lines.prefix(lineCountMax) { say("    \(word)  \(line)") }
        if lines.count > lineCountMax { say("    \(word)  … and \(lines.count - lineCountMax) more") }
    }

    static func table(_ outcomes: [Outcome], seed: UInt64) {
        let width = max(8, outcomes.map(\.scenario.count).max() ?? 0)
        let head = ["faults", "acknowledged", "lost", "wrong", "false marks", "time"]
        say("\n\(padded("scenario", width))  \(head.joined(separator: "  "))")
        for outcome in outcomes { say(row(outcome, width, head)) }
        var sum = outcomes.reduce(into: Outcome(scenario: "all", seed: seed)) { sum, outcome in
            sum.faultCount += outcome.faultCount
            sum.acknowledgedCount += outcome.acknowledgedCount
            sum.lost += outcome.lost
            sum.wrong += outcome.wrong
            sum.falseMarks += outcome.falseMarks
            sum.seconds += outcome.seconds
        }
        sum.leftOut = nil
        say(row(sum, width, head))
        let left = outcomes.filter { $0.leftOut != nil }
        if !left.isEmpty {
            say("Left out, and so not shown: \(left.map(\.scenario).joined(separator: ", "))")
        }
        say("SEED=\(seed) runs the same again.")
    }

    private static func row(_ outcome: Outcome, _ width: Int, _ head: [String]) -> String {
        let name = padded(outcome.scenario, width)
        guard outcome.leftOut == nil else { return "\(name)  left out" }
        let cells =
            [
                outcome.faultCount, outcome.acknowledgedCount, outcome.lost.count, outcome.wrong.count,
                outcome.falseMarks.count,
            ].map { "\($0)" } + [String(format: "%.0f s", outcome.seconds)]
        let row = zip(cells, head).map { cell, title in
            String(repeating: " ", count: max(0, title.count - cell.count)) + cell
        }
        return "\(name)  \(row.joined(separator: "  "))\(outcome.hasFailed ? "  FAILED" : "")"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
