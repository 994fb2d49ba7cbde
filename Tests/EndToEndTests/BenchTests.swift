import Foundation
import StackSupport
import Testing

@testable import Bench

extension EndToEndTests {
    /// The bench in its smallest form, so that it does not rot.
    @Suite(.timeLimit(.minutes(5)))
    struct BenchTests {
        private func bench(_ variables: [String: String]) throws -> Command.Output {
            try Command.smoke("bench", variables, seconds: 240)
        }

        @Test func `writer and path are measured, and what was acknowledged is stored`() throws {
            let file = try StackFolder.path("bench") + "/result.json"
            let output = try bench([
                "ONLY": "writer,path", "ROUNDS": "1", "SECONDS": "1", "JOBS": "2000", "CLIENTS": "8,16,32",
                "SEED": "7", "JSON": file,
            ])
            let data = try #require(FileManager.default.contents(atPath: file), "\(output)")
            let results = try JSONDecoder().decode(Results.self, from: data)
            #expect(output.text.contains("SEED=7"), "\(output)")
            #expect(results.subjects.count == 6 && results.verifiedJobCount > 1000, "\(output)")
            for subject in results.subjects {
                let rates = results.rounds(subject.name, "rate_per_s")
                #expect(rates.count == 1 && rates[0] > 10, "\(subject): \(output)")
            }
            let ratios = results.targets.filter { $0.direction == .atLeast }
            #expect(ratios.count == 3 && ratios.allSatisfy { $0.value > 0.001 }, "\(output)")
            // A machine that is busy with other tests may turn messages away, but must not lose any.
            #expect(results.faults.allSatisfy { $0.contains("were not served") }, "\(output)")
        }

        @Test func `a part that there is not is refused with those that there are`() throws {
            let output = try bench(["ONLY": "everything"])
            #expect(output.status == 2 && output.errorText.contains("door, writer, path"), "\(output)")
        }
    }
}
