import Foundation
import Glibc
import Logging
import TestSupport
import Testing
import Threading

@testable import SBC

/// What a target must not be, at the start and at the end: what somebody else uses, or no longer the file by its
/// name.
@Suite(.serialized) struct TargetSafetyTests {
    private let folder = TemporaryFolder()

    private func makeMachine() throws -> Data {
        var random = SplitMix64(seed: 41)
        let content = random.bytes(2 << 20)
        try DiskFile.make(folder("vm"), size: content.count, data: [(0, content)])
        return content
    }

    private func expectRefusal(_ source: String, _ target: String, _ words: String...) {
        let error = #expect(throws: CopyError.self) { try copyDisks([(source, target)]) }
        for word in words {
            #expect(error?.description.contains(word) == true, "\(String(describing: error))")
        }
    }

    @Test(arguments: [true, false])
    func `the file behind a source that qemu-nbd serves is no target`(isReadOnly: Bool) throws {
        let content = try makeMachine()
        let server = try NBDServer.qemu(folder("vm"), format: "raw", options: isReadOnly ? ["-r"] : [])
        defer { server.stop() }
        expectRefusal(server.uri, folder("vm"), "in use", "qemu-nbd", folder("vm"))
        #expect(try DiskFile.content(folder("vm")) == content)
    }

    @Test(arguments: [NBDServer.Door.unixSocket, .port])
    func `the file behind a source of a server that locks nothing is no target`(door: NBDServer.Door) throws {
        let content = try makeMachine()
        let server = try NBDServer.nbdkit(["-r", "file", folder("vm")], door: door)
        defer { server.stop() }
        expectRefusal(server.uri, folder("vm"), "in use", "nbdkit")
        #expect(try DiskFile.content(folder("vm")) == content)
    }

    @Test func `a file that another program writes is no target, whatever the source is`() throws {
        let content = try makeMachine()
        try DiskFile.make(folder("s"), size: 4096)
        let server = try NBDServer.nbdkit(["file", folder("vm")])
        defer { server.stop() }
        // It opens the file when a client comes.
        let client = try NBDConnectionHolder(server.uri)
        expectRefusal(folder("s"), folder("vm"), "in use", "nbdkit")
        #expect(try DiskFile.content(folder("vm")) == content)
        withExtendedLifetime(client) {}
    }

    @Test func `a target that is being written is refused by QEMU`() throws {
        _ = try makeMachine()
        let disk = try PreparedDisk.open(index: 0, source: .path(folder("vm")), target: .path(folder("t")))
        try PreparedDisk.check([disk])
        let reading = ["convert", "-f", "raw", "-O", "raw", folder("t"), folder("out")]
        #expect(throws: TestSupportError.self) { try qemuImage(reading) }
        disk.unlockTarget()
        try qemuImage(reading)
        withExtendedLifetime(disk) {}
    }

    @Test(.enabled(if: LoopDevice.isToBeHad)) func `a loop device and the file behind it are one disk`()
        throws
    {
        let content = try makeMachine()
        try DiskFile.make(folder("s"), size: 2 << 20)
        let loop = try LoopDevice(over: folder("vm"))
        expectRefusal(loop.path, folder("vm"), loop.path)
        expectRefusal(folder("vm"), loop.path, loop.path)
        expectRefusal(folder("s"), folder("vm"), loop.path)
        let server = try NBDServer.nbdkit(["-r", "file", loop.path])
        defer { server.stop() }
        expectRefusal(server.uri, folder("vm"), loop.path)
        #expect(try DiskFile.content(folder("vm")) == content)
        #expect(try copyDisks([(folder("s"), loop.path)]).reason == nil)
    }

    enum Accident: CaseIterable {
        case removed, moved, replaced, cut
    }

    @Test(arguments: Accident.allCases, [false, true])
    func `a target that is not there in full at the end is a failure`(
        accident: Accident,
        isVerifying: Bool
    ) throws {
        _ = try makeMachine()
        let target = folder("t")
        try DiskFile.make(folder("other"), size: 2 << 20)
        var settings = CopySettings()
        settings.isVerifying = isVerifying
        let (counters, reason) = try copyDisks(
            [(folder("vm"), target)],
            rate: 3 << 20,
            settings: settings,
            onStart: { counters in
                _ = eventually { counters.progress.dealt > 1 << 20 }
                switch accident {
                case .removed: unsafe unlink(target)
                case .moved: unsafe rename(target, folder("gone"))
                case .replaced: unsafe rename(folder("other"), target)
                case .cut: unsafe truncate(target, 1000)
                }
            }
        )
        guard case .failed(let error) = reason else {
            Issue.record("the copy ended with \(String(describing: reason))")
            return
        }
        #expect(error.description.contains(target), "\(error)")
        #expect(counters.progress.disks[0].state == .failed)
    }

    @Test(arguments: [
        "nbd://127.0.0.1:10899/x", "nbd://127.0.0.2:10899/x", "nbd://127.1:10899/x",
        "nbd://0x7f000001:10899/x", "nbd://[::ffff:127.0.0.1]:10899/x", "nbd://[::1]:10899/x",
        "nbd://0.0.0.0:10899/x", "nbd://[::]:10899/x", "nbd://localhost.:10899/x",
        "NBD://LOCALHOST:10899/x", "nbd://\(ProcessInfo.processInfo.hostName):10899/x",
    ])
    func `an export of this machine is the same by whatever name`(uri: String) {
        #expect(EndIdentity(uri: uri) == EndIdentity(uri: "nbd://localhost:10899/x"))
        #expect(
            EndIdentity.canonicalName(uri: uri) == EndIdentity.canonicalName(uri: "nbd://localhost:10899/x")
        )
    }

    @Test func `a unix socket is the same by each of its names`() throws {
        let server = try NBDServer.nbdkit(["memory", "1M"])
        defer { server.stop() }
        let socket = String(server.uri.drop { $0 != "=" }.dropFirst())
        #expect(unsafe link(socket, folder("hard")) == 0)
        #expect(unsafe symlink(socket, folder("soft")) == 0)
        let names = [socket, folder("hard"), folder("soft")].map { "nbd+unix:///?socket=\($0)" }
        #expect(Set(names.map { EndIdentity(uri: $0) }).count == 1)
        #expect(Set(names.map { EndIdentity.canonicalName(uri: $0) }).count == 1)
    }

    @Test func `other machines are told apart by their names`() {
        #expect(EndIdentity(uri: "nbd://192.0.2.1/x") != EndIdentity(uri: "nbd://localhost/x"))
        #expect(EndIdentity(uri: "nbd://192.0.2.1/x") == EndIdentity(uri: "nbd://192.0.513/x"))
        let start = MonotonicClock.nowMilliseconds
        #expect(EndIdentity(uri: "nbd://no.such.invalid/x") == EndIdentity(uri: "nbd://No.such.invalid./x"))
        #expect(MonotonicClock.nowMilliseconds - start < 8000)
    }

    @Test func `an export of nearly 2^63 bytes is refused`() throws {
        let huge = try NBDServer.nbdkit(["null", "size=\(Int64.max)"])
        defer { huge.stop() }
        expectRefusal(huge.uri, folder("t"), "\(Int64.max) bytes")
        #expect(!FileManager.default.fileExists(atPath: folder("t")))
    }
}

/// A connection of its own, for a server that opens its file with its first client.
private final class NBDConnectionHolder {
    private let disk: PreparedDisk

    init(_ uri: String) throws {
        disk = try PreparedDisk.open(index: 0, source: .uri(uri), target: .uri(uri))
    }
}
