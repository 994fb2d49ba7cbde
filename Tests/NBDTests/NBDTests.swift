import Foundation
import Glibc
import Testing
import TestSupport

@testable import NBD

/// The wrapper against real servers: what they say of an export, what commands do, and how they fail.
@Suite(.serialized) struct NBDTests {
    /// Remembers how commands ended.
    private final class Recorder: NBDListener {
        var ends: [Int: Int32] = [:]
        var extents: [String: [NBDExtent]] = [:]

        func ended(token: Int, errorNumber: Int32) { ends[token] = errorNumber }
        func told(token: Int, context: String, extents: [NBDExtent]) { self.extents[context] = extents }
    }

    /// Waits for a command's end; nil if none comes within ten seconds.
    private func end(of token: Int, _ recorder: Recorder, on connection: NBDConnection) -> Int32? {
        for _ in 0..<1000 {
            if let error = recorder.ends[token] { return error }
            NBDConnection.wait(for: [connection], milliseconds: 10)
        }
        return nil
    }

    private func connect(
        _ server: NBDServer,
        contexts: [String] = [NBDContext.allocation]
    ) throws -> NBDConnection {
        try NBDConnection(uri: server.uri, contexts: contexts, timeoutMilliseconds: 5000)
    }

    @Test func `an export tells its size, its block sizes and what it can`() throws {
        let plain = try connect(try NBDServer.nbdkit(["memory", "1000001"])).export
        #expect(plain.size == 1_000_001 && plain.blockSizeMin == 1)
        #expect(plain.canMultiConn && plain.canFlush && plain.canFUA && plain.canZero && plain.canTrim)
        #expect(!plain.isReadOnly && plain.hasStructuredReplies)
        #expect(plain.contexts == [NBDContext.allocation])
        let filters = [
            "--filter=blocksize-policy", "memory", "1M", "blocksize-minimum=4096",
            "blocksize-preferred=65536", "blocksize-maximum=1M",
        ]
        let strict = try connect(try NBDServer.nbdkit(["-r"] + filters, door: .port)).export
        #expect(strict.blockSizeMin == 4096 && strict.blockSizePreferred == 65536)
        #expect(strict.blockSizeMax == 1 << 20 && strict.isReadOnly)
        let old = try connect(try NBDServer.nbdkit(["--no-sr", "memory", "1M"])).export
        #expect(!old.hasStructuredReplies && old.contexts.isEmpty)
    }

    @Test(arguments: [NBDServer.Door.unixSocket, .port])
    func `what is written is read, what is zeroed is zero and known to be`(door: NBDServer.Door) throws {
        let server = try NBDServer.nbdkit(["memory", "1M"], door: door)
        defer { server.stop() }
        let connection = try connect(server)
        let recorder = Recorder()
        let written = RequestBuffer(byteCount: 65536)
        _ = unsafe written.withBytes(0..<65536) { unsafe $0.initializeMemory(as: UInt8.self, repeating: 7) }
        try connection.write(from: written, 0..<65536, offset: 131_072, token: 1, recorder)
        #expect(end(of: 1, recorder, on: connection) == 0)
        let read = RequestBuffer(byteCount: 65536)
        try connection.read(into: read, offset: 131_072, byteCount: 65536, token: 2, recorder)
        #expect(end(of: 2, recorder, on: connection) == 0)
        #expect(unsafe read.withBytes(0..<65536) { unsafe $0.allSatisfy { $0 == 7 } })
        #expect(!read.isZero(0..<1))
        try connection.zero(offset: 131_072, byteCount: 32768, token: 3, recorder)
        #expect(end(of: 3, recorder, on: connection) == 0)
        try connection.flush(token: 4, recorder)
        #expect(end(of: 4, recorder, on: connection) == 0)
        try connection.read(into: read, offset: 131_072, byteCount: 65536, token: 5, recorder)
        #expect(end(of: 5, recorder, on: connection) == 0)
        #expect(read.isZero(0..<32768) && !read.isZero(0..<32769))
        try connection.blockStatus(offset: 0, byteCount: 1 << 20, token: 6, recorder)
        #expect(end(of: 6, recorder, on: connection) == 0)
        let extents = try #require(recorder.extents[NBDContext.allocation])
        #expect(extents.first?.readsAsZeroes == true)
        #expect(extents.contains { !$0.readsAsZeroes })
        #expect(connection.inFlightCount == 0 && !connection.isOver)
    }

    @Test func `a connection may be encrypted, and one that has to be is not made without`() throws {
        let folder = NSTemporaryDirectory() + "nbd-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let keys = folder + "/keys.psk"
        let key = String(repeating: "4f", count: 32)
        try "sna:\(key)\n".write(toFile: keys, atomically: true, encoding: .utf8)
        let server = try NBDServer.nbdkit(
            ["--tls=require", "--tls-psk=\(keys)", "memory", "1M"],
            door: .port
        )
        defer { server.stop() }
        let place = server.uri.dropFirst("nbd://".count)
        let connection = try NBDConnection(
            uri: "nbds://sna@\(place)?tls-psk-file=\(keys)",
            timeoutMilliseconds: 10_000
        )
        #expect(connection.export.size == 1 << 20)
        #expect(throws: NBDError.self) { try NBDConnection(uri: server.uri, timeoutMilliseconds: 10_000) }
    }

    @Test func `a refused command ends with the server's errno, and the connection goes on`() throws {
        let recorder = Recorder()
        let buffer = RequestBuffer(byteCount: 512)
        buffer.clear(0..<512)
        let server = try NBDServer.nbdkit([
            "--filter=error", "memory", "1M", "error-pwrite=ENOSPC", "error-pwrite-rate=1",
        ])
        defer { server.stop() }
        let full = try connect(server)
        try full.write(from: buffer, 0..<512, offset: 0, token: 1, recorder)
        #expect(end(of: 1, recorder, on: full) == ENOSPC)
        #expect(!full.isOver)
        // Beyond the end nothing is even sent.
        let refused = #expect(throws: NBDError.self) {
            try full.read(into: buffer, offset: 1 << 20, byteCount: 512, token: 2, recorder)
        }
        #expect(refused?.code == EINVAL && recorder.ends[2] == nil)
    }

    @Test func `commands in flight end when the server goes away, and the connection is over`() throws {
        let server = try NBDServer.nbdkit(["--filter=delay", "memory", "1M", "rdelay=60"])
        let connection = try connect(server)
        let recorder = Recorder()
        let buffer = RequestBuffer(byteCount: 512)
        try connection.read(into: buffer, offset: 0, byteCount: 512, token: 1, recorder)
        NBDConnection.wait(for: [connection], milliseconds: 100)
        #expect(recorder.ends[1] == nil)
        server.kill(SIGKILL)
        #expect(end(of: 1, recorder, on: connection) == ENOTCONN)
        #expect(connection.isOver)
        let gone = #expect(throws: NBDError.self) {
            try NBDConnection(uri: server.uri, timeoutMilliseconds: 1000)
        }
        #expect(gone?.code == ECONNREFUSED || gone?.code == ENOENT, "\(String(describing: gone))")
    }

    @Test func `what is no address, and a server that says nothing, are told in libnbd's words`() throws {
        #expect(throws: NBDError.self) { try NBDConnection(uri: "nbd://", timeoutMilliseconds: 1000) }
        #expect(throws: NBDError.self) { try NBDConnection(uri: "http://x/", timeoutMilliseconds: 1000) }
        var asked = 0
        let server = try NBDServer.nbdkit(["--filter=delay", "memory", "1M", "delay-open=30"])
        let late = #expect(throws: NBDError.self) {
            try NBDConnection(uri: server.uri, timeoutMilliseconds: 200)
        }
        #expect(late?.code == ETIMEDOUT)
        let stopped = #expect(throws: NBDError.self) {
            try NBDConnection(uri: server.uri, timeoutMilliseconds: 60_000) {
                asked += 1
                return asked > 1
            }
        }
        #expect(stopped?.code == ECANCELED)
        server.stop()
    }
}
