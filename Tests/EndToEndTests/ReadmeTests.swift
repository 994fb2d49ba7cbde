import Foundation
import Testing

extension EndToEndTests.GuideTests {
    @Test func `the README's commands work as written`() throws {
        let text = try String(contentsOfFile: Stack.root + "/README.md", encoding: .utf8)
        let blocks = text.components(separatedBy: "```sh\n").dropFirst().compactMap {
            $0.components(separatedBy: "\n```").first
        }
        #expect(blocks.count >= 3)
        let script = ["set -eu", "cd \"$(mktemp -d \"$SENDENSE_STATE_DIR/readme-XXXXXX\")\""] + blocks
        let output = try Self.run(script.joined(separator: "\n"))
        #expect(output.contains("SHA telemetry update sent"))
        #expect(output.contains("\"status\":\"ok\""))
        #expect(output.contains("\"status\":\"created\""))
        #expect(output.contains("Telemetry received and processed"))
        #expect(output.contains("\"job_status\":\"completed\""))
    }

    @Test func `the demo passes beside a running stack and leaves nothing behind`() throws {
        let stack = try EndToEndTests.stack()
        let output = try stack.dev("demo", seconds: 240)
        #expect(output.text.contains("The demo passed"))
        #expect(!output.text.contains("FAIL"))
        #expect(!FileManager.default.fileExists(atPath: stack.folder + "/demo"))
    }
}
