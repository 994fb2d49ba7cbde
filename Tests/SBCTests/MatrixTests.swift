import Foundation
import Glibc
import TestSupport
import Testing
import Threading

@testable import SBC

/// Every kind of source into every kind of target, with real servers: the content is compared byte by byte.
@Suite(.serialized) struct MatrixTests {
    enum Source: String, CaseIterable, Sendable {
        case file, nbdkit, nbdkitPort, nbdkit4K, nbdkitPlain, qcow2
    }

    enum Target: String, CaseIterable, Sendable {
        case file, rawServer, qcow2, qcow2Port, nbdkit4K, nbdkitNoZero, nbdkitPlain
    }

    enum Content: String, CaseIterable, Sendable {
        case sparse, full, odd, tiny, empty, zeroes
    }

    private let folder = TemporaryFolder()

    /// Makes a raw file of a kind of content; its size.
    private func make(_ content: Content, _ path: String, seed: UInt64, unit: Int) throws -> Int {
        var random = SplitMix64(seed: seed)
        switch content {
        case .full:
            let size = 5 << 20
            try DiskFile.make(path, size: size, data: [(0, random.bytes(size))])
            return size
        case .sparse, .odd:
            let size = content == .odd && unit == 1 ? 9_000_001 : 9 << 20
            let pieces = (0..<6).map { _ in
                let offset = Int.random(in: 0..<size, using: &random)
                return (offset, random.bytes(min(size - offset, Int.random(in: 1..<900_000, using: &random))))
            }
            try DiskFile.make(path, size: size, data: pieces + [(size - 1, Data([7]))])
            return size
        case .tiny:
            let size = unit == 1 ? 1 : unit
            try DiskFile.make(path, size: size, data: [(0, random.bytes(size))])
            return size
        case .empty:
            try DiskFile.make(path, size: 0)
            return 0
        case .zeroes:
            // Half of them written as data.
            try DiskFile.make(path, size: 4 << 20, data: [(1 << 20, Data(count: 2 << 20))])
            return 4 << 20
        }
    }

    private func open(_ source: Source, _ raw: String) throws -> (String, NBDServer?) {
        let server: NBDServer
        switch source {
        case .file: return (raw, nil)
        case .nbdkit: server = try .nbdkit(["-r", "file", raw])
        case .nbdkitPort: server = try .nbdkit(["-r", "file", raw], door: .port)
        case .nbdkit4K:
            server = try .nbdkit([
                "-r", "--filter=blocksize-policy", "file", raw, "blocksize-minimum=4096",
                "blocksize-preferred=4096", "blocksize-maximum=128K", "blocksize-error-policy=error",
            ])
        case .nbdkitPlain: server = try .nbdkit(["-r", "--no-sr", "file", raw])
        case .qcow2:
            let image = folder("source.qcow2")
            try qemuImage(["convert", "-f", "raw", "-O", "qcow2", raw, image])
            server = try .qemu(image, format: "qcow2", options: ["-r"])
        }
        return (server.uri, server)
    }

    /// A target that held something else before, where it may.
    private func open(
        _ target: Target,
        size: Int
    ) throws -> (endpoint: String, server: NBDServer?, image: String, format: String) {
        var random = SplitMix64(seed: 77)
        let raw = folder("target.raw")
        let old = random.bytes(min(size, 3 << 20))
        let server: NBDServer
        switch target {
        case .file: return (folder("target.file"), nil, folder("target.file"), "raw")
        case .qcow2, .qcow2Port:
            let image = folder("target.qcow2")
            try qemuImage(["create", "-q", "-f", "qcow2", image, "\(size)"])
            server = try .qemu(image, format: "qcow2", door: target == .qcow2 ? .unixSocket : .port)
            return (server.uri, server, image, "qcow2")
        case .rawServer:
            try DiskFile.make(raw, size: size, data: [(0, old)])
            server = try .qemu(raw, format: "raw")
        case .nbdkit4K:
            let rounded = (size + 4095) / 4096 * 4096
            try DiskFile.make(raw, size: rounded, data: [(0, old)])
            server = try .nbdkit([
                "--filter=blocksize-policy", "file", raw, "blocksize-minimum=4096",
                "blocksize-preferred=4096", "blocksize-maximum=64K", "blocksize-error-policy=error",
            ])
        case .nbdkitNoZero:
            try DiskFile.make(raw, size: size, data: [(0, old)])
            server = try .nbdkit(["--filter=nozero", "file", raw])
        case .nbdkitPlain:
            try DiskFile.make(raw, size: size, data: [(0, old)])
            server = try .nbdkit(["--no-sr", "file", raw])
        }
        return (server.uri, server, raw, "raw")
    }

    /// Compares as QEMU sees it; what one has more must be zero.
    private func expectSame(_ raw: String, _ image: String, _ format: String) throws {
        try qemuImage(["compare", "-q", "-f", "raw", "-F", format, raw, image])
    }

    @Test(arguments: Source.allCases, Target.allCases)
    func `every content arrives`(source: Source, target: Target) throws {
        for (number, content) in Content.allCases.enumerated() {
            // QEMU rounds a size up to sectors, and an export of blocks of 4 KiB has no odd end.
            let unit = source == .nbdkit4K ? 4096 : source == .qcow2 ? 512 : 1
            let raw = folder("source.raw")
            let size = try make(content, raw, seed: UInt64(number), unit: unit)
            for verify in [false, true] {
                let (sourceName, sourceServer) = try open(source, raw)
                let opened = try open(target, size: size)
                var settings = CopySettings()
                settings.isVerifying = verify
                let (counters, reason) = try copyDisks([(sourceName, opened.endpoint)], settings: settings)
                #expect(reason == nil, "\(content) verify=\(verify): \(String(describing: reason))")
                let disk = counters.progress.disks[0]
                #expect(disk.state == .completed && disk.dealt == disk.total, "\(content): \(disk)")
                #expect(disk.moved == disk.data || content == .empty, "\(content): \(disk)")
                sourceServer?.stop()
                opened.server?.stop()
                try expectSame(raw, opened.image, opened.format)
                for name in ["source.qcow2", "target.raw", "target.qcow2", "target.file"] {
                    unsafe unlink(folder(name))
                }
            }
        }
    }

    @Test func `holes and zeroes are neither read nor sent, and stay holes`() throws {
        var random = SplitMix64(seed: 5)
        let raw = folder("s")
        try DiskFile.make(raw, size: 256 << 20, data: [(100 << 20, random.bytes(1 << 20))])
        let source = try NBDServer.nbdkit(["-r", "file", raw])
        let image = folder("t.qcow2")
        try qemuImage(["create", "-q", "-f", "qcow2", image, "256M"])
        let target = try NBDServer.qemu(image, format: "qcow2")
        let (counters, reason) = try copyDisks([(source.uri, target.uri)])
        #expect(reason == nil)
        let disk = counters.progress.disks[0]
        #expect(disk.dealt == 256 << 20 && disk.moved <= 2 << 20 && disk.data == disk.moved)
        target.stop()
        #expect(DiskFile.blocks(image) * 512 < 4 << 20)
        try expectSame(raw, image, "qcow2")
    }

    @Test func `a target that is smaller, or read-only, is refused, and so is what is no server`() throws {
        let raw = folder("s")
        try DiskFile.make(raw, size: 1 << 20)
        let small = try NBDServer.nbdkit(["memory", "1000000"])
        let locked = try NBDServer.nbdkit(["-r", "memory", "1M"])
        for (uri, words) in [
            (small.uri, "give a target that is as large"), (locked.uri, "read-only"),
            ("nbd+unix:///?socket=\(folder("none"))", "cannot open the target"),
        ] {
            let error = #expect(throws: CopyError.self) { try copyDisks([(raw, uri)]) }
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        }
        // By another way to its socket, too.
        let spelt = small.uri.replacing("socket=/", with: "socket=/../")
        for uri in [small.uri, spelt] {
            let same = #expect(throws: CopyError.self) { try copyDisks([(small.uri, uri)]) }
            #expect(same?.description.contains("same disk") == true)
        }
        #expect(EndIdentity(uri: "nbd://localhost:10809/a") == EndIdentity(uri: "nbds://127.0.0.1/a"))
        #expect(EndIdentity(uri: "nbd://localhost/a") != EndIdentity(uri: "nbd://localhost/b"))
        #expect(EndIdentity(uri: "nbd://hub:10100/a") != EndIdentity(uri: "nbd://hub:10101/a"))
    }
}
