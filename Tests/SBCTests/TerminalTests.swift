import Foundation
import TestSupport
import Testing

@testable import SBC

/// The program as it is built on a terminal: what it draws fits, and is drawn over where it began.
@Suite(.serialized, .timeLimit(.minutes(1))) struct TerminalTests {
    /// The bars as they were drawn once.
    private struct Picture {
        /// How many rows above the cursor it begins.
        var up: Int
        var lines: [String]

        /// All whole ones in what a terminal was sent.
        static func all(in text: String) -> [Picture] {
            text.matches(of: /(?:\x1B\[(\d+)A\r)?((?:[^\x1B\r\n]*\x1B\[K\r\n)+)\x1B\[J/).map { match in
                Picture(
                    up: match.1.flatMap { Int($0) } ?? 0,
                    lines: match.2.components(separatedBy: "\u{1B}[K\r\n").dropLast()
                )
            }
        }
    }

    private let folder = TemporaryFolder()

    private func start(on terminal: PseudoTerminal) throws -> pid_t {
        for name in ["a", "b"] {
            var random = SplitMix64(seed: 60)
            try DiskFile.make(folder(name), size: 2 << 20, data: [(0, random.bytes(2 << 20))])
        }
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let disks = ["a", "b"].flatMap { ["--disk", "\(folder($0))=\(folder("t" + $0))"] }
        return try Launcher.start(
            [
                "env", "TERM=xterm",
                own.deletingLastPathComponent().appendingPathComponent("sendense-backup-client").path,
                "--vm", "pg", "--no-telemetry", "--rate-limit", "2M", "--state-dir", folder("state"),
                "--log-file", folder("log"),
            ] + disks,
            logPath: terminal.path
        )
    }

    @Test(arguments: [5, 40] as [UInt16])
    func `no line is wider than a narrow terminal, and each picture is drawn over the last`(
        columns: UInt16
    ) throws {
        let terminal = try PseudoTerminal(columns: columns)
        let pid = try start(on: terminal)
        let pictures = Picture.all(in: terminal.read())
        #expect(Spawn.wait(for: pid) == 0)
        #expect(pictures.count > 4)
        for (index, picture) in pictures.enumerated() {
            // Two disks, and their sum.
            #expect(picture.lines.count == 3)
            #expect(picture.lines.allSatisfy { $0.count < columns }, "\(picture.lines)")
            #expect(picture.up == (index == 0 ? 0 : 3))
        }
        #expect(pictures.last?.lines.allSatisfy { $0.contains("100") } == true)
    }

    @Test
    func `a terminal that becomes narrower in mid-copy is drawn on from where the wide picture now begins`()
        throws
    {
        let terminal = try PseudoTerminal(columns: 100)
        let pid = try start(on: terminal)
        var text = terminal.read { Picture.all(in: $0).count == 3 }
        terminal.resize(columns: 40)
        text += terminal.read()
        #expect(Spawn.wait(for: pid) == 0)
        let pictures = Picture.all(in: text)
        let first = try #require(pictures.firstIndex { $0.lines.allSatisfy { $0.count < 40 } })
        // One may have been under way.
        #expect((3...4).contains(first))
        #expect(pictures.count > first + 2)
        for (index, picture) in pictures.enumerated().dropFirst() {
            let isNarrow = index >= first
            #expect(picture.lines.allSatisfy { $0.count < (isNarrow ? 40 : 100) })
            let old = pictures[index - 1].lines
            #expect(picture.up == ProgressScreen.rowCount(old, columns: isNarrow ? 40 : 100))
        }
        #expect(pictures[first].up > 3)
    }
}
