import Database
import Foundation
import Glibc
import StackSupport
import TestSupport
import Threading

/// The fault lab: real services, clients that keep a ledger, faults, and a comparison at the end.
@main
enum FaultLab {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        endOnSignals()
        DatabaseLibrary.initialize()
        do {
            let options = try LabOptions(ProcessInfo.processInfo.environment)
            if options.listsOnly { return Report.list(Scenario.all) }
            exit(try run(options) ? 0 : 1)
        } catch {
            FileHandle.standardError.write(Data("faults: \(error)\n".utf8))
            exit(2)
        }
    }

    /// Runs the scenarios, one after the other, and prints the table.
    ///
    /// - Returns: whether nothing was lost, wrong or falsely marked.
    private static func run(_ options: LabOptions) throws -> Bool {
        Report.say("==> \(options.scenarios.count) scenarios, SEED=\(options.seed)")
        var outcomes: [Outcome] = []
        for scenario in options.scenarios {
            Report.say("  \(scenario.name): \(scenario.summary)")
            let outcome = Trial.run(scenario, options)
            Report.tell(outcome, options)
            outcomes.append(outcome)
        }
        Report.table(outcomes, seed: options.seed)
        return outcomes.allSatisfy { !$0.hasFailed }
    }
}
