import Foundation
import Glibc
import Testing

@testable import SBC

/// Block devices as source and target.
@Suite(
    .serialized,
    .enabled(if: LoopDevice.isToBeHad, "block devices take root and the kernel's loop driver")
)
struct DeviceTests {
    private static let size = (9 << 20) + 1536

    private let folder = TemporaryFolder()

    private func makeSource() throws -> LoopDevice {
        var random = SplitMix64(seed: 40)
        let data = [
            (0, random.bytes(100_000)), (3 << 20, random.bytes(1 << 20)),
            (Self.size - 5, Data("an end".utf8.prefix(5))),
        ]
        try DiskFile.make(folder("s"), size: Self.size, data: data)
        return try LoopDevice(over: folder("s"))
    }

    @Test(arguments: [false, true])
    func `a device arrives in a file, without what it holds of zeroes`(isDirect: Bool) throws {
        let source = try makeSource()
        var settings = CopySettings()
        settings.isDirect = isDirect
        let (counters, reason) = try copyDisks([(source.path, folder("t"))], settings: settings)
        #expect(reason == nil)
        #expect(counters.progress.disks[0].dealt == Int64(Self.size))
        #expect(try DiskFile.content(folder("t")) == DiskFile.content(folder("s")))
        // A device does not tell its holes; they are found by what is read, in units of 64 KiB.
        #expect(DiskFile.blocks(folder("t")) * 512 < 2 << 20)
    }

    @Test(arguments: [false, true])
    func `a device's old content is written over, zeroes too, and what is behind the disk stays`(
        isDirect: Bool
    ) throws {
        let source = try makeSource()
        var random = SplitMix64(seed: 41)
        let old = random.bytes(Self.size + (1 << 20))
        try DiskFile.make(folder("t"), size: old.count, data: [(0, old)])
        let target = try LoopDevice(over: folder("t"))
        var settings = CopySettings()
        settings.isDirect = isDirect
        settings.isVerifying = true
        for from in [folder("s"), source.path] {
            let (_, reason) = try copyDisks([(from, target.path)], settings: settings)
            #expect(reason == nil)
            let content = try DiskFile.content(folder("t"))
            #expect(try content.prefix(Self.size) == DiskFile.content(folder("s")))
            #expect(content.dropFirst(Self.size) == old.dropFirst(Self.size))
        }
    }

    @Test func `a device that is too small, in use or the source itself is refused and stays as it is`()
        throws
    {
        let source = try makeSource()
        try DiskFile.make(folder("t"), size: 1 << 20, data: [(0, Data("old".utf8))])
        let small = try LoopDevice(over: folder("t"))
        func expectRefusal(_ from: String, _ to: String, _ words: String) {
            #expect {
                try copyDisks([(from, to)])
            } throws: { error in
                "\(error)".contains(words)
            }
        }
        expectRefusal(source.path, small.path, "give a target that is as large")
        #expect(try DiskFile.content(folder("t")).prefix(3) == Data("old".utf8))
        // By another name, and by another node.
        #expect(unsafe symlink(source.path, folder("link")) == 0)
        var status = stat()
        #expect(unsafe stat(source.path, &status) == 0)
        #expect(unsafe mknod(folder("node"), S_IFBLK | 0o600, status.st_rdev) == 0)
        for name in ["link", "node"] { expectRefusal(source.path, folder(name), "same disk as the source") }
        // As whoever mounts it does.
        let holder = Descriptor(unsafe open(small.path, O_RDWR | O_EXCL | O_CLOEXEC))
        #expect(holder.number >= 0)
        try DiskFile.make(folder("tiny"), size: 512)
        expectRefusal(folder("tiny"), small.path, "(errno \(EBUSY))")
        withExtendedLifetime(holder) {}
    }
}
