import Foundation
import Glibc
import NBD
import Synchronization
import TestSupport
import Testing
import Threading

@testable import SBC

/// Servers that die, come back, refuse or hang, in the middle of a copy.
@Suite(.serialized) struct CopyFaultTests {
    private let folder = TemporaryFolder()

    /// Waits until so many bytes are dealt with.
    private func waitForBytes(_ count: Int64, _ counters: JobCounters) {
        #expect(eventually(milliseconds: 20_000) { counters.progress.dealt >= count })
    }

    private func makeSource(_ size: Int, seed: UInt64) throws -> String {
        var random = SplitMix64(seed: seed)
        let raw = folder("source.raw")
        try DiskFile.make(
            raw,
            size: size,
            data: [(0, random.bytes(size / 2)), (size - 99, random.bytes(99))]
        )
        return raw
    }

    private func expectFailure(_ reason: StopReason?, _ words: String...) {
        guard case .failed(let error) = reason else {
            Issue.record("the copy ended with \(String(describing: reason))")
            return
        }
        for word in words { #expect(error.description.contains(word), "\(error)") }
    }

    /// A copy that nobody listens to.
    private func copy(of disk: PreparedDisk) -> DiskCopy {
        DiskCopy(
            disk: disk,
            counters: DiskCounters(total: disk.total),
            settings: CopySettings(),
            limit: nil,
            cancellation: Cancellation(),
            onNotice: { _ in },
            onFailure: { _ in }
        )
    }

    @Test(arguments: [CopyLane.Operation.read, .write])
    func `a file whose file system is gone (ENOTCONN) fails, and is not waited for`(
        operation: CopyLane.Operation
    ) throws {
        let raw = try makeSource(1 << 20, seed: 3)
        let disk = try PreparedDisk.open(index: 0, source: .path(raw), target: .path(folder("target")))
        guard case .file(let source) = disk.source, case .file(let target) = disk.target else { return }
        let job = copy(of: disk)
        let lane = CopyLane(
            job: job,
            source: .file(source),
            target: .file(TargetFile(file: target, isBlank: true, diskSize: 0))
        )
        for _ in 0..<job.settings.retry.requestTriesMax {
            #expect(lane.failure == nil)
            lane.failed(0, operation, ENOTCONN, at: 4096)
        }
        #expect(lane.failure?.errorNumber == ENOTCONN)
        #expect(lane.failure?.reason.contains("offset 4096") == true)
    }

    @Test(.timeLimit(.minutes(2)), arguments: [1, 4])
    func `a target that is killed and comes back gets everything, counted once`(connections: Int) throws {
        let raw = try makeSource(24 << 20, seed: 1)
        let image = folder("target.qcow2")
        try qemuImage(["create", "-q", "-f", "qcow2", image, "24M"])
        let source = try NBDServer.nbdkit(["-r", "file", raw])
        let target = try NBDServer.qemu(image, format: "qcow2")
        var settings = CopySettings()
        settings.connectionsPerDisk = connections
        settings.isVerifying = connections == 1
        let (counters, reason) = try copyDisks(
            [(source.uri, target.uri)],
            rate: 8 << 20,
            settings: settings,
            onStart: { counters in
                for bytes: Int64 in [3 << 20, 7 << 20] {
                    waitForBytes(bytes, counters)
                    // What was acknowledged and is only in its memory is gone.
                    target.kill(SIGKILL)
                    usleep(300_000)
                    try? target.start()
                }
            }
        )
        #expect(reason == nil, "\(String(describing: reason))")
        let disk = counters.progress.disks[0]
        #expect(disk.state == .completed && disk.dealt == 24 << 20 && disk.percent == 100)
        // Data that was written twice was moved twice.
        #expect(disk.moved > 12 << 20)
        target.stop()
        try qemuImage(["compare", "-q", "-f", "raw", "-F", "qcow2", raw, image])
    }

    @Test(.timeLimit(.minutes(2)), arguments: [true, false])
    func `a server that is killed with many requests in flight is no failure`(isSource: Bool) throws {
        let raw = try makeSource(24 << 20, seed: 11)
        let image = folder("target.raw")
        try DiskFile.make(image, size: 24 << 20)
        let source = try NBDServer.nbdkit(["-r", "--filter=delay", "file", raw, "rdelay=60ms"])
        let target = try NBDServer.nbdkit(["--filter=delay", "file", image, "wdelay=60ms"])
        var settings = CopySettings()
        settings.requestLengthMax = 64 << 10
        settings.requestsPerConnection = 16
        let (counters, reason) = try copyDisks(
            [(source.uri, target.uri)],
            settings: settings,
            onStart: { counters in
                for bytes: Int64 in [1 << 20, 4 << 20] {
                    waitForBytes(bytes, counters)
                    (isSource ? source : target).kill(SIGKILL)
                    try? (isSource ? source : target).start()
                }
            }
        )
        #expect(reason == nil, "\(String(describing: reason))")
        #expect(counters.progress.disks[0].dealt == 24 << 20)
        #expect(try DiskFile.content(raw) == DiskFile.content(image))
    }

    @Test(.timeLimit(.minutes(2)))
    func `a source that is killed and comes back is read on`() throws {
        let raw = try makeSource(16 << 20, seed: 2)
        let source = try NBDServer.nbdkit(["-r", "file", raw], door: .port)
        let (counters, reason) = try copyDisks(
            [(source.uri, folder("t"))],
            rate: 6 << 20,
            onStart: { counters in
                waitForBytes(3 << 20, counters)
                source.kill(SIGKILL)
                usleep(500_000)
                try? source.start()
            }
        )
        #expect(reason == nil, "\(String(describing: reason))")
        #expect(counters.progress.disks[0].dealt == 16 << 20)
        #expect(try DiskFile.content(raw) == DiskFile.content(folder("t")))
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func `a server that stays away fails the disk by name, soon after the time for it`(isSource: Bool) throws
    {
        let raw = try makeSource(16 << 20, seed: 3)
        let image = folder("t.raw")
        try DiskFile.make(image, size: 16 << 20)
        let source = try NBDServer.nbdkit(["-r", "file", raw])
        let target = try NBDServer.qemu(image, format: "raw")
        var settings = CopySettings()
        settings.retry.reconnectMillisecondsMax = 1000
        var killedAt: Int64 = 0
        let (counters, reason) = try copyDisks(
            [(source.uri, target.uri)],
            rate: 4 << 20,
            settings: settings,
            onStart: { counters in
                waitForBytes(2 << 20, counters)
                (isSource ? source : target).kill(SIGKILL)
                killedAt = MonotonicClock.nowMilliseconds
            }
        )
        #expect(MonotonicClock.nowMilliseconds - killedAt < 3000)
        expectFailure(
            reason,
            "disk 0: the \(isSource ? "source" : "target") \((isSource ? source : target).uri) went away",
            "did not come back within 1000 ms"
        )
        #expect(counters.progress.disks[0].state == .failed)
    }

    @Test func `a command on a connection that is over is lost, not refused`() throws {
        let raw = try makeSource(1 << 20, seed: 12)
        let server = try NBDServer.nbdkit(["memory", "1M"])
        let disk = try PreparedDisk.open(index: 0, source: Endpoint(raw), target: Endpoint(server.uri))
        let job = copy(of: disk)
        guard case .file(let file) = disk.source, case .nbd(let end) = disk.target,
            let connection = end.takeFirst()
        else {
            Issue.record("the ends are not what was opened")
            return
        }
        let lane = CopyLane(job: job, source: .file(file), target: .nbd(end, connection))
        server.kill(SIGKILL)
        #expect(
            eventually {
                NBDConnection.wait(for: [connection], milliseconds: 10)
                return connection.isOver
            }
        )
        lane.slots[0].piece = Extent(offset: 0, length: 4096, isData: true)
        lane.slots[0].runs = [Run(bytes: 0..<4096, isZero: false)]
        lane.issue(0, .write)
        #expect(lane.slots[0].stage == .lost(.write))
        #expect(lane.isTargetLost && lane.failure == nil)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a server that answers nothing counts as gone, and is not waited for without end`() throws {
        let source = try NBDServer.nbdkit(["--filter=delay", "pattern", "1M", "rdelay=50"])
        var settings = CopySettings()
        settings.retry.silenceMillisecondsMax = 1200
        settings.retry.reconnectMillisecondsMax = 1500
        let (_, reason) = try copyDisks([(source.uri, folder("t"))], settings: settings)
        expectFailure(reason, "the source \(source.uri) went away at offset 0")
    }

    @Test func `slow servers only take longer`() throws {
        let raw = try makeSource(4 << 20, seed: 4)
        let image = folder("t.raw")
        try DiskFile.make(image, size: 4 << 20)
        let source = try NBDServer.nbdkit(["-r", "--filter=delay", "file", raw, "rdelay=100ms"])
        let target = try NBDServer.nbdkit(["--filter=delay", "file", image, "wdelay=100ms"])
        let (_, reason) = try copyDisks([(source.uri, target.uri)])
        #expect(reason == nil)
        #expect(try DiskFile.content(raw) == DiskFile.content(image))
    }

    @Test func `errors that pass are tried again`() throws {
        let raw = try makeSource(8 << 20, seed: 5)
        let image = folder("t.raw")
        try DiskFile.make(image, size: 8 << 20)
        let source = try NBDServer.nbdkit([
            "-r", "--filter=error", "file", raw, "error-pread=EIO", "error-pread-rate=0.2",
        ])
        let target = try NBDServer.nbdkit([
            "--filter=error", "file", image, "error-pwrite=EIO", "error-pwrite-rate=0.2",
            "error-zero=ENOMEM", "error-zero-rate=0.2",
        ])
        var settings = CopySettings()
        settings.retry.requestTriesMax = 30
        settings.retry.firstWaitMilliseconds = 1
        settings.retry.longestWaitMilliseconds = 5
        let (counters, reason) = try copyDisks([(source.uri, target.uri)], settings: settings)
        #expect(reason == nil, "\(String(describing: reason))")
        #expect(counters.progress.disks[0].dealt == 8 << 20)
        #expect(try DiskFile.content(raw) == DiskFile.content(image))
    }

    @Test(.timeLimit(.minutes(1)))
    func `a target that is killed while it is read back is waited for, and read on`() throws {
        let raw = try makeSource(24 << 20, seed: 13)
        let image = folder("t.raw")
        try DiskFile.make(image, size: 24 << 20)
        let target = try NBDServer.nbdkit(["--filter=delay", "file", image, "rdelay=60ms"])
        var settings = CopySettings()
        settings.requestLengthMax = 64 << 10
        settings.isVerifying = true
        let (counters, reason) = try copyDisks(
            [(raw, target.uri)],
            settings: settings,
            onStart: { counters in
                waitForBytes(24 << 20, counters)
                usleep(500_000)
                #expect(counters.progress.disks[0].state == .transferring)
                target.kill(SIGKILL)
                usleep(300_000)
                try? target.start()
            }
        )
        #expect(reason == nil, "\(String(describing: reason))")
        #expect(counters.progress.disks[0].state == .completed)
    }

    @Test func `reading back tries again what is refused, and names what stays so`() throws {
        let raw = try makeSource(8 << 20, seed: 14)
        let image = folder("t.raw")
        try DiskFile.make(image, size: 8 << 20)
        var settings = CopySettings()
        settings.isVerifying = true
        settings.retry.firstWaitMilliseconds = 1
        let arguments = ["--filter=error", "file", image, "error-pread=EIO"]
        let bad = try NBDServer.nbdkit(arguments + ["error-pread-rate=1"])
        let (_, reason) = try copyDisks([(raw, bad.uri)], settings: settings)
        expectFailure(
            reason,
            "disk 0: cannot read the target \(bad.uri) back at offset ",
            "tried 4 times",
            "(errno \(EIO))"
        )
        settings.retry.requestTriesMax = 30
        let flaky = try NBDServer.nbdkit(arguments + ["error-pread-rate=0.3"])
        let (_, flakyReason) = try copyDisks([(raw, flaky.uri)], settings: settings)
        #expect(flakyReason == nil, "\(String(describing: flakyReason))")
    }

    @Test func `a bad sector is named by its offset, and a full target at once`() throws {
        let bad = try NBDServer.nbdkit([
            "eval", "get_size=echo 8388608", "can_multi_conn=exit 0",
            "pread=if [ $4 -ge 4194304 ]; then echo 'EIO bad sector' >&2; exit 1; fi; "
                + "head -c $3 /dev/zero | tr '\\000' x",
        ])
        var settings = CopySettings()
        settings.retry.firstWaitMilliseconds = 10
        let (_, reason) = try copyDisks([(bad.uri, folder("t"))], settings: settings)
        guard case .failed(let error) = reason else {
            Issue.record("the copy ended with \(String(describing: reason))")
            return
        }
        #expect(error.errorNumber == EIO)
        let offset = error.reason.split(separator: " ").compactMap { Int($0.filter(\.isNumber)) }.max() ?? 0
        #expect(offset >= 4_194_304 && offset < 8_388_608, "\(error)")
        #expect(error.description.contains("tried 4 times"))

        let raw = try makeSource(2 << 20, seed: 6)
        let full = try NBDServer.nbdkit([
            "--filter=error", "memory", "2M", "error-pwrite=ENOSPC", "error-pwrite-rate=1",
        ])
        let start = MonotonicClock.nowMilliseconds
        let (_, fullReason) = try copyDisks([(raw, full.uri)])
        expectFailure(fullReason, "cannot write the target \(full.uri) at offset", "(errno \(ENOSPC))")
        #expect(MonotonicClock.nowMilliseconds - start < 2000)
    }

    @Test func `a flush that fails is a failure`() throws {
        let raw = try makeSource(1 << 20, seed: 7)
        let target = try NBDServer.nbdkit([
            "eval", "get_size=echo 1048576", "can_write=exit 0", "can_flush=exit 0",
            "pread=head -c $3 /dev/zero", "pwrite=cat >/dev/null", "flush=echo 'EIO worn out' >&2; exit 1",
        ])
        let (_, reason) = try copyDisks([(raw, target.uri)])
        expectFailure(reason, "durable (flush)")
    }

    @Test func `a server that takes one client only is copied to over one connection`() throws {
        let raw = try makeSource(8 << 20, seed: 8)
        let image = folder("t.raw")
        try DiskFile.make(image, size: 8 << 20)
        let target = try NBDServer.qemu(image, format: "raw", clientCountMax: 1)
        let (_, reason) = try copyDisks([(raw, target.uri)])
        #expect(reason == nil)
        target.stop()
        #expect(try DiskFile.content(raw) == DiskFile.content(image))
        // And one that says it takes several, but fewer than are tried, with those that it takes.
        let two = try NBDServer.qemu(image, format: "raw", clientCountMax: 2)
        let (_, twoReason) = try copyDisks([(raw, two.uri)], rate: 4 << 20)
        #expect(twoReason == nil)
    }

    @Test func `a cancelled copy lets go of its servers at once`() throws {
        let raw = try makeSource(8 << 20, seed: 9)
        // It takes one client at a time: a connection that were not let go would keep the next copy out.
        let source = try NBDServer.qemu(raw, format: "raw", clientCountMax: 1, options: ["-r"])
        let cancellation = Cancellation()
        var stoppedAt: Int64 = 0
        let (_, reason) = try copyDisks(
            [(source.uri, folder("t"))],
            rate: 1 << 20,
            cancellation: cancellation,
            onStart: { counters in
                waitForBytes(1, counters)
                stoppedAt = MonotonicClock.nowMilliseconds
                cancellation.cancel(.signal(15))
            }
        )
        #expect(reason == .signal(15))
        #expect(MonotonicClock.nowMilliseconds - stoppedAt < 1000)
        let (_, next) = try copyDisks([(source.uri, folder("u"))])
        #expect(next == nil)
        #expect(try DiskFile.content(raw) == DiskFile.content(folder("u")))
    }

    @Test func `the time to go is known from the first stretch on, and comes true`() throws {
        let raw = try makeSource(64 << 20, seed: 10)
        let source = try NBDServer.nbdkit(["-r", "file", raw])
        let (counters, reason) = try copyDisks(
            [(source.uri, folder("t"))],
            rate: 40 << 20,
            onStart: { counters in
                waitForBytes(1, counters)
                let data = counters.progress.disks[0].data ?? 0
                #expect(data >= 32 << 20 && data <= 64 << 20)
            }
        )
        #expect(reason == nil)
        let disk = counters.progress.disks[0]
        #expect(disk.data == disk.moved && disk.moved < 33 << 20)
    }
}
