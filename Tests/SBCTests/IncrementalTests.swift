import Foundation
import Glibc
import NBD
import TestSupport
import Testing

@testable import SBC

/// Incremental copies: what changed arrives, what did not is left alone.
@Suite(.serialized) struct IncrementalTests {
    private let folder = TemporaryFolder()

    private func copy(
        _ source: String,
        _ target: String,
        _ changes: ChangeSource,
        settings: CopySettings = CopySettings()
    ) throws -> DiskProgress {
        let disk = try PreparedDisk.open(
            index: 0,
            source: Endpoint(source),
            target: Endpoint(target),
            changes: changes
        )
        let counters = JobCounters(totals: [disk.total])
        let cancellation = Cancellation()
        let engine = CopyEngine(
            disks: [disk],
            counters: counters,
            settings: settings,
            limit: nil,
            cancellation: cancellation
        )
        engine.start()
        #expect(engine.wait(milliseconds: 60_000))
        #expect(cancellation.reason == nil, "\(String(describing: cancellation.reason))")
        return counters.progress.disks[0]
    }

    @Test func `lists are read in both spellings, and what is no list is refused`() throws {
        let plain = try ChangeList(
            json: Data(#"[{"offset":0,"length":65536},{"offset":99,"length":1}]"#.utf8)
        )
        #expect(plain.areas == [0..<65536, 99..<100])
        let vmware = #"{"startOffset":0,"length":1048576,"changedArea":[{"start":131072,"length":65536}]}"#
        #expect(try ChangeList(json: Data(vmware.utf8)).areas == [131_072..<196_608])
        #expect(try ChangeList(json: Data("[]".utf8)).areas.isEmpty)
        for text in [
            "", "{}", "7", #"[{"offset":-1,"length":1}]"#, #"[{"length":1}]"#, #"[{"offset":1}]"#,
            #"[{"offset":9223372036854775807,"length":1}]"#, #"[{"offset":1,"length":-1}]"#,
        ] {
            #expect(throws: ChangeList.Fault.self, "\(text)") { try ChangeList(json: Data(text.utf8)) }
        }
    }

    @Test func `an answer of VMware's that does not reach the disk's end is refused`() throws {
        func regions(_ members: String) throws -> [Range<Int64>] {
            let text = "{\(members)\"changedArea\":[{\"start\":4096,\"length\":10}]}"
            return try ChangeList(json: Data(text.utf8)).regions(size: 1 << 20, blockSize: 1)
        }
        for members in ["", #""startOffset":0,"length":1048576,"#, #""startOffset":0,"length":2000000,"#] {
            #expect(try regions(members) == [4096..<4106], "\(members)")
        }
        for members in [#""startOffset":0,"length":1048064,"#, #""startOffset":512,"length":1048576,"#] {
            #expect(throws: ChangeList.Fault.self, "\(members)") { try regions(members) }
        }
    }

    @Test func `areas become whole blocks in order, each once`() throws {
        let list = ChangeList(areas: [9000..<9001, 100..<200, 4000..<5000, 300..<300, 20_000..<20_481])
        #expect(try list.regions(size: 20_481, blockSize: 4096) == [0..<12_288, 16_384..<20_481])
        #expect(try list.regions(size: 30_000, blockSize: 1).count == 4)
        #expect(throws: ChangeList.Fault.self) { try list.regions(size: 20_480, blockSize: 1) }
    }

    @Test(arguments: [false, true], UInt64(0)..<6)
    func `what a list names arrives, zeroes too, and the rest stays as it was`(
        isServed: Bool,
        seed: UInt64
    ) throws {
        var random = SplitMix64(seed: seed)
        let size = 4 << 20
        let new = random.bytes(size)
        let old = random.bytes(size)
        try DiskFile.make(
            folder("new"),
            size: size,
            data: [(0, new.prefix(2 << 20)), (3 << 20, new.suffix(1 << 20))]
        )
        try DiskFile.make(folder("old"), size: size, data: [(0, old)])
        let areas = (0..<8).map { _ in
            let offset = Int64.random(in: 0..<Int64(size), using: &random)
            return offset..<min(Int64(size), offset + Int64.random(in: 0..<400_000, using: &random))
        }
        let list = ChangeList(areas: areas)
        var expected = old
        let content = try DiskFile.content(folder("new"))
        let regions = try list.regions(size: Int64(size), blockSize: 1)
        for region in regions {
            expected.replaceSubrange(
                Int(region.lowerBound)..<Int(region.upperBound),
                with: content[Int(region.lowerBound)..<Int(region.upperBound)]
            )
        }
        let source = isServed ? try NBDServer.nbdkit(["-r", "file", folder("new")]) : nil
        let target = isServed ? try NBDServer.nbdkit(["file", folder("old")]) : nil
        var settings = CopySettings()
        settings.isVerifying = seed % 2 == 1
        let progress = try copy(
            source?.uri ?? folder("new"),
            target?.uri ?? folder("old"),
            .list(list),
            settings: settings
        )
        #expect(progress.state == .completed && progress.percent == 100)
        #expect(progress.dealt == regions.reduce(0) { $0 + Int64($1.count) })
        #expect(progress.total == progress.dealt)
        #expect(try DiskFile.content(folder("old")) == expected)
    }

    @Test func `an empty list is done at once with 0 bytes, and touches nothing`() throws {
        try DiskFile.make(folder("new"), size: 1 << 20, data: [(0, Data("new".utf8))])
        try DiskFile.make(folder("old"), size: 1 << 20, data: [(0, Data("old".utf8))])
        let progress = try copy(folder("new"), folder("old"), .list(ChangeList(areas: [])))
        #expect(progress.state == .completed && progress.dealt == 0 && progress.total == 0)
        #expect(progress.percent == 100)
        #expect(try DiskFile.content(folder("old")).prefix(3) == Data("old".utf8))
    }

    @Test func `without a target to bring up to date there is no incremental copy`() throws {
        try DiskFile.make(folder("new"), size: 4096)
        let error = #expect(throws: CopyError.self) {
            try copy(folder("new"), folder("none"), .list(ChangeList(areas: [])))
        }
        #expect(error?.description.contains("make a full one first") == true)
        #expect(!FileManager.default.fileExists(atPath: folder("none")))
        let noBitmap = #expect(throws: CopyError.self) {
            try DiskFile.make(folder("old"), size: 4096)
            _ = try copy(folder("new"), folder("old"), .bitmap("b"))
        }
        #expect(noBitmap?.description.contains("no NBD export") == true)
    }

    @Test(arguments: [8, 1])
    func `a dirty bitmap says what to copy, also where the server takes one client`(clients: Int) throws {
        var random = SplitMix64(seed: 3)
        let image = folder("s.qcow2")
        let raw = folder("raw")
        try DiskFile.make(raw, size: 8 << 20, data: [(0, random.bytes(8 << 20))])
        try qemuImage(["convert", "-f", "raw", "-O", "qcow2", raw, image])
        try qemuImage(["bitmap", "--add", image, "b0"])
        // The bitmap learns of writes through QEMU.
        let writer = try NBDServer.qemu(image, format: "qcow2")
        try DiskFile.make(folder("change"), size: 8 << 20, data: [(3 << 20, random.bytes(100_000))])
        _ = try copy(
            folder("change"),
            writer.uri,
            .list(ChangeList(areas: [(3 << 20)..<(3 << 20) + 100_000]))
        )
        writer.stop()
        let source = try NBDServer.qemu(
            image,
            format: "qcow2",
            clientCountMax: clients,
            options: ["-r", "-B", "b0"]
        )
        let progress = try copy(source.uri, raw, .bitmap("b0"))
        #expect(progress.state == .completed && progress.dealt == 131_072)
        let missing = #expect(throws: CopyError.self) { try copy(source.uri, raw, .bitmap("b1")) }
        #expect(missing?.description.contains("no dirty bitmap called b1") == true)
        source.stop()
        try qemuImage(["compare", "-q", "-f", "raw", "-F", "qcow2", raw, image])
    }

    @Test func `verification finds what the target did not keep, by its offset`() throws {
        var random = SplitMix64(seed: 4)
        try DiskFile.make(folder("s"), size: 2 << 20, data: [(0, random.bytes(2 << 20))])
        // A target that takes everything and keeps nothing but zeroes.
        let target = try NBDServer.nbdkit(["null", "2M"])
        var settings = CopySettings()
        settings.isVerifying = true
        let (counters, reason) = try copyDisks([(folder("s"), target.uri)], settings: settings)
        guard case .failed(let error) = reason else {
            Issue.record("the copy ended with \(String(describing: reason))")
            return
        }
        #expect(error.description.contains("verification failed"), "\(error)")
        #expect(error.description.contains("at offset"))
        #expect(counters.progress.disks[0].state == .failed)
        let (_, unverified) = try copyDisks([(folder("s"), target.uri)])
        #expect(unverified == nil)
    }
}
