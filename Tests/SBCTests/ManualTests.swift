import ArgumentParser
import Foundation
import Testing

@testable import SBC

/// The manual and the help say the same.
struct ManualTests {
    private static let manual = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "docs/man/sendense-backup-client.1")

    @Test func `the manual has every option of every command, and none besides`() throws {
        let manual = try String(contentsOf: Self.manual, encoding: .utf8)
        let commands: [any ParsableCommand.Type] = [Backup.self, Check.self, Flush.self]
        var options: Set<String> = []
        for command in commands {
            let help = SendenseBackupClient.helpMessage(for: command, columns: 200)
            for line in help.split(separator: "\n") {
                guard let match = line.prefixMatch(of: /\ {2}(?:-\w, )?--([a-z-]+)/) else { continue }
                options.insert(String(match.1))
            }
        }
        #expect(options.count > 30)
        options.subtract(["help", "version"])
        let written = Set(manual.matches(of: /Fl -([a-z-]+)/).map { String($0.1) })
        #expect(written == options)
    }

    @Test func `shells can have completions`() {
        for shell in [CompletionShell.bash, .zsh, .fish] {
            let script = SendenseBackupClient.completionScript(for: shell)
            #expect(script.contains("snapshot-command") && script.contains("flush"))
        }
    }
}
