import StackSupport
import Foundation
import Testing

extension EndToEndTests.GuideTests {
    /// The commands of a document's blocks that are marked `sh`, in order.
    private static func commands(of document: String) throws -> [String] {
        let text = try String(contentsOfFile: "\(Stack.root)/\(document)", encoding: .utf8)
        return text.components(separatedBy: "```sh\n").dropFirst().compactMap {
            $0.components(separatedBy: "\n```").first
        }
    }

    /// Runs commands one after the other in a new folder, as a user with `stack.env` does.
    private static func run(_ commands: [String], folder: String) throws -> String {
        let start = ["set -eu", "cd \"$(mktemp -d \"$SENDENSE_STATE_DIR/\(folder)-XXXXXX\")\""]
        return try run((start + commands).joined(separator: "\n"))
    }

    @Test func `the README's commands work as written`() throws {
        let commands = try Self.commands(of: "README.md")
        #expect(commands.count >= 3)
        let output = try Self.run(commands, folder: "readme")
        #expect(output.contains("SHA telemetry update sent"))
        #expect(output.contains("\"status\":\"ok\""))
        #expect(output.contains("\"status\":\"created\""))
        #expect(output.contains("Telemetry received and processed"))
        #expect(output.contains("\"job_status\":\"completed\""))
    }

    @Test func `the guide's walk-through works as written`() throws {
        // There is no terminal for watch, and nobody to end it.
        let commands = try Self.commands(of: "docs/guide.md").map { command in
            command.replacing("watch -n 2 ", with: "sh -c ").replacing("watch -n 5 ", with: "sh -c ")
        }
        #expect(commands.count >= 20)
        let output = try Self.run(commands, folder: "guide")
        for words in [
            "current_phase\tvarchar(50)\t'pending'", "idx_last_telemetry\t2\tlast_telemetry_at",
            "Telemetry API endpoints enabled", "🚨 Stale job detector started",
            "           status: running\n    current_phase: transferring\n", "test-telemetry-1\t1\t",
            "bytes_transferred: 134217728\n      total_bytes: 134217728", "aggregation_correct: 1",
            "running\t3221225472\tNULL\t37.50", "completed\t8589934592\tNULL\t100.00",
            "test-telemetry-1\tcompleted\t", "\"reasons\": []", "is missing; must be the job id of the path",
            "Aggregated bytes_transferred", "SHA telemetry update sent",
        ] {
            #expect(output.contains(words), "\(words) is not in:\n\(output)")
        }
        #expect(!output.contains("aggregation_correct: 0") && !output.contains("should_be_failed"))
    }

    @Test func `the walk-through has every command of the guide`() throws {
        func words(_ text: String) -> String {
            text.replacing("sh -c '", with: "watch -n 2 '").split(whereSeparator: \.isWhitespace)
                .joined(separator: " ")
        }
        let document = words(try String(contentsOfFile: Stack.root + "/docs/guide.md", encoding: .utf8))
        let commands = [
            Guide.jobColumns, Guide.diskColumns, Guide.telemetryIndex, Guide.completedJobs, Guide.aggregation,
            Guide.monitor, Guide.diskMonitorRepaired, Guide.silentMonitor, Guide.coverage, Guide.frequency,
            Guide.staleStatistics, Guide.wrongSums, Guide.staleLogic,
        ]
        for command in commands { #expect(document.contains(words(command)), "\(command)") }
    }

    @Test func `the demo passes beside a running stack and leaves nothing behind`() throws {
        let stack = try EndToEndTests.stack()
        let output = try stack.dev("demo", seconds: 240)
        #expect(output.text.contains("The demo passed"))
        #expect(!output.text.contains("FAIL"))
        #expect(!FileManager.default.fileExists(atPath: stack.folder + "/demo"))
    }
}
