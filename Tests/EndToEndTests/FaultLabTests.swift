import Foundation
import StackSupport
import Testing

extension EndToEndTests {
    /// Some quick scenarios of the fault lab, so that it does not rot.
    @Suite(.timeLimit(.minutes(6)))
    struct FaultLabTests {
        private func lab(_ variables: [String: String]) throws -> Command.Output {
            try Command.smoke("faults", variables, seconds: 300)
        }

        @Test func `nothing is lost, wrong or falsely marked in the lab's quick scenarios`() throws {
            // The caller's settings are none of the lab's.
            let foreign = ["SENDENSE_DATABASE_PASSWORD": "another", "SENDENSE_OUTBOX": "none"]
            let scenarios = ["SCENARIO": "kill-any,outbox-killed,disorder,sigterm"]
            let output = try lab(scenarios.merging(foreign) { $1 })
            #expect(output.status == 0, "\(output)")
            #expect(output.text.contains("\nkill-any ") && !output.text.contains("left out"), "\(output)")
        }

        @Test func `a scenario that there is not is refused with the way to the list`() throws {
            let output = try lab(["SCENARIO": "kill-everything"])
            #expect(output.status == 2 && output.errorText.contains("LIST=1"), "\(output)")
        }
    }
}
