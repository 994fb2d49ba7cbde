import Foundation
import Glibc
import TestSupport
import Testing

@testable import SBC

/// Files past the system's cache: the same content, of any size and with any holes.
@Suite(.serialized) struct DirectTests {
    private let folder = TemporaryFolder()
    private let settings: CopySettings = {
        var settings = CopySettings()
        settings.isDirect = true
        settings.isVerifying = true
        return settings
    }()

    private func output(_ path: String, _ arguments: [String]) throws -> String {
        let program = Process()
        program.executableURL = URL(fileURLWithPath: path)
        program.arguments = arguments
        let pipe = Pipe()
        program.standardOutput = pipe
        try program.run()
        let told = try pipe.fileHandleForReading.readToEnd() ?? Data()
        program.waitUntilExit()
        return String(decoding: told, as: UTF8.self).filter { !$0.isWhitespace }
    }

    /// How much of a file is in the system's cache. A file system that is nothing but that has no way past it: nil.
    private func cachedPages(_ path: String) throws -> Int? {
        let kind = try output("/usr/bin/stat", ["--file-system", "--format=%T", path])
        guard kind != "tmpfs" else { return nil }
        let told = try output("/usr/bin/fincore", ["--noheadings", "--output", "PAGES", path])
        let count: Int = try #require(Int(told), "\(told)")
        return count
    }

    @Test(arguments: [0, 1, 511, 512, 4095, 4096, 4097, 1_048_577, 9_999_999])
    func `a dense file of any size arrives, and does not stay in memory`(size: Int) throws {
        var random = SplitMix64(seed: UInt64(size))
        try DiskFile.make(folder("s"), size: size, data: [(0, random.bytes(size))])
        var settings = settings
        settings.isVerifying = false
        let (counters, reason) = try copyDisks([(folder("s"), folder("t"))], settings: settings)
        #expect(reason == nil)
        // Before it is read: the last page alone went through the cache.
        #expect(try cachedPages(folder("t")) ?? 0 <= 1)
        #expect(try DiskFile.content(folder("s")) == DiskFile.content(folder("t")))
        #expect(counters.progress.disks[0].moved == Int64(size))
    }

    @Test(arguments: UInt64(0)..<6)
    func `a sparse file keeps its bytes and its holes, over an old target too`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let size = try DiskFile.makeSparse(folder("s"), sizeMax: 20_000_000, &random)
        if seed % 2 == 1 {
            let old = size + 5_000_000
            try DiskFile.make(folder("t"), size: old, data: [(0, random.bytes(old))])
        }
        let (_, reason) = try copyDisks([(folder("s"), folder("t"))], settings: settings)
        #expect(reason == nil)
        #expect(try DiskFile.content(folder("s")) == DiskFile.content(folder("t")))
        #expect(DiskFile.blocks(folder("t")) <= DiskFile.blocks(folder("s")) + 32, "holes were filled")
    }

    @Test func `a file goes into an export, and an export into a file`() throws {
        var random = SplitMix64(seed: 5)
        let size = 3_000_001
        let pieces = [(4000, random.bytes(2_000_000)), (size - 1, Data([7]))]
        try DiskFile.make(folder("s"), size: size, data: pieces)
        try DiskFile.make(folder("middle"), size: size, data: [(0, random.bytes(size))])
        let server = try NBDServer.nbdkit(["file", folder("middle")])
        for pair in [(folder("s"), server.uri), (server.uri, folder("t"))] {
            #expect(try copyDisks([pair], settings: settings).reason == nil)
        }
        #expect(try DiskFile.content(folder("s")) == DiskFile.content(folder("t")))
    }

    @Test func `only what changed is written, and the rest of a target stays`() throws {
        var random = SplitMix64(seed: 6)
        let size = 2_000_003
        var old = random.bytes(size)
        let new = random.bytes(size)
        try DiskFile.make(folder("s"), size: size, data: [(0, new)])
        try DiskFile.make(folder("t"), size: size, data: [(0, old)])
        let changes = #"[{"offset":5000,"length":10},{"offset":2000000,"length":3}]"#
        let list = try ChangeList(json: Data(changes.utf8))
        let disk = try PreparedDisk.open(
            index: 0,
            source: Endpoint(folder("s")),
            target: Endpoint(folder("t")),
            changes: .list(list),
            isDirect: true
        )
        let engine = CopyEngine(
            disks: [disk],
            counters: JobCounters(totals: [disk.total]),
            settings: settings,
            limit: nil,
            cancellation: Cancellation()
        )
        engine.start()
        #expect(engine.wait(milliseconds: 60_000))
        // Changes are widened to whole pages.
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        for offset in [5000, 2_000_000] {
            let start = offset / page * page
            let range = start..<min(size, start + page)
            old.replaceSubrange(range, with: new[range])
        }
        #expect(try DiskFile.content(folder("t")) == old)
    }

    @Test func `a file system that cannot is refused by name`() {
        #expect {
            try copyDisks([("/proc/version", folder("t"))], settings: settings)
        } throws: { error in
            "\(error)".contains("/proc/version does no direct I/O; leave out --direct")
        }
        #expect(!FileManager.default.fileExists(atPath: folder("t")))
    }
}
