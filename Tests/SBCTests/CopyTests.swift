import Foundation
import Glibc
import Synchronization
import Testing
import Threading

@testable import SBC

/// Real files, real holes: what is on the target afterwards is compared with the source, byte by byte and
/// in blocks.
@Suite(.serialized) struct CopyTests {
    private let folder = TemporaryFolder()

    private func expectSame(_ source: String, _ target: String) throws {
        #expect(try DiskFile.content(source) == DiskFile.content(target))
        // Metadata of a fragmented file may take a block or two.
        #expect(DiskFile.blocks(target) <= DiskFile.blocks(source) + 32, "holes were filled")
    }

    @Test func `a target that another run is writing is refused`() throws {
        try DiskFile.make(folder("s"), size: 10, data: [])
        let running = try PreparedDisk.open(
            index: 0,
            source: Endpoint(folder("s")),
            target: Endpoint(folder("t"))
        )
        try PreparedDisk.check([running])
        #expect {
            try copyDisks([(folder("s"), folder("t"))])
        } throws: { error in
            "\(error)".contains("is being written by another run (process \(getpid())); give another target")
        }
        withExtendedLifetime(running) {}
    }

    @Test(.timeLimit(.minutes(1))) func `a pipe is refused and not waited for, at either end`() throws {
        try DiskFile.make(folder("s"), size: 10, data: [])
        #expect(unsafe mkfifo(folder("pipe"), 0o600) == 0)
        for pair in [(folder("pipe"), folder("t")), (folder("s"), folder("pipe"))] {
            #expect {
                try copyDisks([pair])
            } throws: { error in
                "\(error)".contains("neither a file nor a block device")
            }
        }
    }

    @Test(arguments: [0, 1, 511, 4096, 1_048_575, 1_048_577, 9_999_999])
    func `a dense file of any size arrives byte for byte`(size: Int) throws {
        var random = SplitMix64(seed: UInt64(size))
        try DiskFile.make(folder("s"), size: size, data: [(0, random.bytes(size))])
        let (counters, reason) = try copyDisks([(folder("s"), folder("t"))])
        #expect(reason == nil)
        try expectSame(folder("s"), folder("t"))
        let disk = counters.progress.disks[0]
        #expect(disk.state == .completed && disk.percent == 100)
        #expect(disk.dealt == Int64(size) && disk.moved == Int64(size) && disk.data == Int64(size))
    }

    @Test(arguments: UInt64(0)..<12)
    func `a sparse file keeps its bytes and its holes, over an old target too`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let size = try DiskFile.makeSparse(folder("s"), sizeMax: 40_000_000, &random)
        // An earlier target: larger or smaller, full of something else.
        if seed % 3 > 0 {
            let old = seed % 3 == 1 ? size + 5_000_000 : size / 2
            try DiskFile.make(folder("t"), size: old, data: [(0, random.bytes(old))])
        }
        let (counters, reason) = try copyDisks([(folder("s"), folder("t"))])
        #expect(reason == nil)
        try expectSame(folder("s"), folder("t"))
        let disk = counters.progress.disks[0]
        #expect(disk.dealt == Int64(size))
        #expect(disk.moved == disk.data)
        #expect(disk.moved <= Int64(DiskFile.blocks(folder("s"))) * 512 + 4096)
    }

    @Test func `a file of nothing but a hole moves nothing and is dealt with`() throws {
        try DiskFile.make(folder("s"), size: 3 << 30)
        let (counters, _) = try copyDisks([(folder("s"), folder("t"))])
        let disk = counters.progress.disks[0]
        #expect(disk.dealt == 3 << 30 && disk.moved == 0)
        #expect(DiskFile.blocks(folder("t")) == 0)
        #expect(try FileManager.default.attributesOfItem(atPath: folder("t"))[.size] as? Int == 3 << 30)
    }

    @Test func `more disks than are copied at once all arrive`() throws {
        var random = SplitMix64(seed: 7)
        var pairs: [(String, String)] = []
        for index in 0..<9 {
            let size = 300_000 * index + 17
            try DiskFile.make(folder("s\(index)"), size: size, data: [(0, random.bytes(size / 2))])
            pairs.append((folder("s\(index)"), folder("t\(index)")))
        }
        let (counters, reason) = try copyDisks(pairs)
        #expect(reason == nil)
        for pair in pairs { try expectSame(pair.0, pair.1) }
        #expect(counters.progress.disks.allSatisfy { $0.state == .completed })
        #expect(counters.progress.percent == 100)
    }

    @Test func `the rate limit holds for all disks together`() throws {
        var random = SplitMix64(seed: 8)
        for name in ["a", "b"] {
            try DiskFile.make(folder(name), size: 2 << 20, data: [(0, random.bytes(2 << 20))])
        }
        let start = MonotonicClock.nowMilliseconds
        _ = try copyDisks([(folder("a"), folder("ta")), (folder("b"), folder("tb"))], rate: 4 << 20)
        let milliseconds = MonotonicClock.nowMilliseconds - start
        // 4 MiB at 4 MiB/s, less the burst of 0.1 s; the upper bound leaves room for a busy machine.
        #expect((880...5000).contains(milliseconds), "\(milliseconds) ms")
        try expectSame(folder("a"), folder("ta"))
    }

    @Test func `a cancellation wakes a copy that waits for its rate`() throws {
        var random = SplitMix64(seed: 9)
        try DiskFile.make(folder("s"), size: 4 << 20, data: [(0, random.bytes(4 << 20))])
        let cancellation = Cancellation()
        var stoppedAt: Int64 = 0
        let (counters, reason) = try copyDisks(
            [(folder("s"), folder("t"))],
            rate: 50_000,
            cancellation: cancellation,
            onStart: { _ in
                usleep(200_000)
                stoppedAt = MonotonicClock.nowMilliseconds
                cancellation.cancel(.signal(15))
            }
        )
        #expect(MonotonicClock.nowMilliseconds - stoppedAt < 2000)
        #expect(reason == .signal(15))
        #expect(counters.progress.disks[0].state == .transferring)
        #expect(counters.progress.percent < 100)
    }

    @Test func `a source that shrinks meanwhile is a failure, never a hole`() throws {
        var random = SplitMix64(seed: 10)
        for seed in 0..<2 {
            let source = folder("s\(seed)")
            try DiskFile.make(source, size: 4 << 20, data: [(0, random.bytes(seed == 0 ? 4 << 20 : 1 << 20))])
            let (counters, reason) = try copyDisks(
                [(source, folder("t\(seed)"))],
                rate: 3 << 20,
                onStart: { _ in _ = unsafe truncate(source, 100_000) }
            )
            guard case .failed(let error) = reason else {
                Issue.record("the copy ended well")
                continue
            }
            #expect(error.diskIndex == 0)
            #expect(error.description.contains(source), "\(error)")
            #expect(counters.progress.disks[0].state == .failed)
        }
    }

    @Test func `a read error names the disk, the offset and the errno, and stops the others`() throws {
        var random = SplitMix64(seed: 11)
        for name in ["a", "b"] {
            try DiskFile.make(folder(name), size: 2 << 20, data: [(0, random.bytes(2 << 20))])
        }
        let good = try PreparedDisk.open(
            index: 0,
            source: Endpoint(folder("a")),
            target: Endpoint(folder("ta"))
        )
        let opened = try PreparedDisk.open(
            index: 1,
            source: Endpoint(folder("b")),
            target: Endpoint(folder("tb"))
        )
        // A descriptor that may not read fails in pread like a bad disk, but for the number.
        let blind = try OpenFile(
            Descriptor(unsafe open(folder("b"), O_WRONLY | O_CLOEXEC)),
            path: folder("b"),
            diskIndex: 1
        )
        let bad = PreparedDisk(
            index: 1,
            source: .file(blind),
            target: opened.target,
            isTargetNew: true
        )
        let cancellation = Cancellation()
        let counters = JobCounters(totals: [good.size, bad.size])
        let told = Mutex<[CopyError]>([])
        let engine = CopyEngine(
            disks: [good, bad],
            counters: counters,
            limit: RateLimit(bytesPerSecond: 500_000),
            cancellation: cancellation,
            onFailure: { error in told.withLock { $0.append(error) } }
        )
        engine.start()
        #expect(engine.wait(milliseconds: 2000))
        let error = try #require(told.withLock { $0.first })
        #expect(told.withLock { $0.count } == 1)
        #expect(cancellation.reason == .failed(error))
        #expect(error.diskIndex == 1 && error.errorNumber == EBADF)
        #expect(error.description.hasPrefix("disk 1: cannot read the source \(folder("b")) at offset "))
        #expect(error.description.contains("(errno \(EBADF))"))
        #expect(counters.progress.disks[1].state == .failed)
        #expect(counters.progress.disks[0].state == .transferring)
    }

    @Test func `what cannot be copied is refused before anything changes`() throws {
        try DiskFile.make(folder("s"), size: 10, data: [(0, Data("0123456789".utf8))])
        try DiskFile.make(folder("other"), size: 10, data: [(0, Data("abcdefghij".utf8))])
        _ = unsafe link(folder("s"), folder("hard"))
        _ = unsafe symlink(folder("s"), folder("soft"))
        let missing = #expect(throws: CopyError.self) { try copyDisks([(folder("none"), folder("t"))]) }
        #expect(missing?.errorNumber == ENOENT && missing?.description.contains(folder("none")) == true)
        let directory = #expect(throws: CopyError.self) { try copyDisks([(folder.path, folder("t"))]) }
        #expect(directory?.description.contains("a directory") == true)
        let device = #expect(throws: CopyError.self) { try copyDisks([("/dev/null", folder("t"))]) }
        #expect(device?.description.contains("neither a file nor a block device") == true)
        let nowhere = #expect(throws: CopyError.self) { try copyDisks([(folder("s"), folder("no/where"))]) }
        #expect(nowhere?.errorNumber == ENOENT)
        for same in ["s", "hard", "soft"] {
            let error = #expect(throws: CopyError.self) { try copyDisks([(folder("s"), folder(same))]) }
            #expect(error?.description.contains("same disk") == true)
        }
        let crossed = #expect(throws: CopyError.self) {
            try copyDisks([(folder("s"), folder("t")), (folder("other"), folder("s"))])
        }
        #expect(crossed?.diskIndex == 1)
        let shared = #expect(throws: CopyError.self) {
            try copyDisks([(folder("s"), folder("t")), (folder("other"), folder("t"))])
        }
        #expect(shared?.description.contains("also the target of disk 0") == true)
        #expect(try DiskFile.content(folder("s")) == Data("0123456789".utf8))
    }
}
