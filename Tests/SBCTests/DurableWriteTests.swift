import Foundation
import TestSupport
import Testing

@testable import SBC

/// FUA where it is asked for.
@Suite(.serialized) struct DurableWriteTests {
    private let folder = TemporaryFolder()

    /// What the target's server was told, line by line.
    private func commands(isForcing: Bool) throws -> [Substring] {
        var random = SplitMix64(seed: 40)
        try DiskFile.make(folder("s"), size: 6 << 20, data: [(2 << 20, random.bytes(2 << 20))])
        try DiskFile.make(folder("t"), size: 6 << 20, data: [(0, random.bytes(6 << 20))])
        let server = try NBDServer.nbdkit(["--filter=log", "file", folder("t"), "logfile=\(folder("log"))"])
        var settings = CopySettings()
        settings.isForcing = isForcing
        #expect(try copyDisks([(folder("s"), server.uri)], settings: settings).reason == nil)
        try qemuImage(["compare", "-U", "-q", "-f", "raw", "-F", "raw", folder("s"), folder("t")])
        let log = try String(contentsOfFile: folder("log"), encoding: .utf8)
        return log.split(separator: "\n").filter { $0.contains("fua=") }
    }

    @Test(arguments: [true, false])
    func `every write and zeroing has it where it is asked for, else none`(isForcing: Bool) throws {
        let commands = try commands(isForcing: isForcing)
        for name in [" Write ", " Zero "] {
            let some = commands.filter { $0.contains(name) }
            #expect(!some.isEmpty)
            #expect(some.allSatisfy { $0.contains(isForcing ? "fua=1" : "fua=0") }, "\(some)")
        }
    }
}
