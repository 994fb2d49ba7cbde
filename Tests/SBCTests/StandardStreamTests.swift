import Foundation
import Testing

@testable import SBC

/// The program as it is built, started with its standard streams closed.
struct StandardStreamTests {
    private let folder = TemporaryFolder()

    @Test(.timeLimit(.minutes(1)))
    func `what is said on a stream that was closed does not become a disk's content`() throws {
        var random = SplitMix64(seed: 5)
        let content = random.bytes(100_000)
        try DiskFile.make(folder("source"), size: content.count, data: [(0, content)])
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let program = Process()
        program.executableURL = URL(fileURLWithPath: "/bin/sh")
        program.arguments = [
            "-c", "exec \"$@\" <&- >&- 2>&-", "sh",
            own.deletingLastPathComponent().appendingPathComponent("sendense-backup-client").path,
            "--vm", "pg", "--disk", "\(folder("source"))=\(folder("target"))", "--json",
            // What is opened is the log, the source and the target. That no hub hears is said on standard
            // error.
            "--hub-url", "http://127.0.0.1:9", "--drain-timeout", "0", "--state-dir", "/proc/none",
            "--log-file", folder("log"),
        ]
        try program.run()
        program.waitUntilExit()
        #expect(program.terminationStatus == 0)
        #expect(try DiskFile.content(folder("target")) == content)
        #expect(try DiskFile.content(folder("source")) == content)
    }
}
