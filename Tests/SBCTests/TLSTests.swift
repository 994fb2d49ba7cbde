import Foundation
import Logging
import TestSupport
import Testing

@testable import SBC

/// Encrypted ways: to the hub, and to NBD servers. Each with the authority that vouches for the other side, and with
/// another one.
@Suite(.serialized) struct TLSTests {
    private let folder = TemporaryFolder()

    private func run(_ change: (inout BackupOptions) -> Void) throws -> Int32 {
        var options = BackupOptions(vm: "pg", jobID: "job-1", quiet: true, stateDirectory: folder("state"))
        options.drainTimeoutSeconds = 1
        change(&options)
        let plan = try BackupPlan(options, environment: [:], nowMilliseconds: 0)
        return BackupRun(plan: plan, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }).run()
    }

    @Test(.enabled(if: TLSDoor.isToBeHad, "the https door is Python's"))
    func `an https hub is told all where its authority is trusted, and nothing where it is not`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        let authority = try TestAuthority(in: folder("ours"))
        let other = try TestAuthority(in: folder("other"))
        let door = try TLSDoor(authority, before: hub)
        try DiskFile.make(folder("s"), size: 1 << 20, data: [(0, Data("data".utf8))])
        try Data("secret\n".utf8).write(to: URL(fileURLWithPath: folder("token")))
        func backup(_ caFile: String?) throws -> Int32 {
            try run {
                $0.disks = ["\(folder("s"))=\(folder("t"))"]
                $0.hubURL = door.url
                $0.hubCAFile = caFile
                $0.hubTokenFile = folder("token")
            }
        }
        for caFile in [other.certificate, nil] { #expect(try backup(caFile) == 0) }
        #expect(hub.requests.isEmpty)
        #expect(try Spool(stateDirectory: folder("state")).entries().count == 2)
        // What the two could not tell comes before what this one has to.
        #expect(try backup(authority.certificate) == 0)
        #expect(hub.requests("register").map(\.attempt) == [1, 2, 3])
        #expect(hub.requests.last?.status == "completed")
        #expect(hub.requests.allSatisfy { $0.headers.contains("Authorization: Bearer secret") })
        #expect(try Spool(stateDirectory: folder("state")).entries().isEmpty)
    }

    @Test func `a disk is copied from and to exports whose certificates are trusted, and not from others`()
        throws
    {
        let authority = try TestAuthority(in: folder("ours"))
        let other = try TestAuthority(in: folder("other"))
        var random = SplitMix64(seed: 50)
        try DiskFile.make(folder("s"), size: 5 << 20, data: [(1 << 20, random.bytes(2 << 20))])
        try DiskFile.make(folder("t"), size: 5 << 20)
        func server(_ file: String) throws -> NBDServer {
            try .nbdkit(
                ["--tls=require", "--tls-certificates=\(authority.folder)", "file", folder(file)],
                door: .port
            )
        }
        let (source, target) = (try server("s"), try server("t"))
        func uri(_ server: NBDServer, trusting authority: TestAuthority) -> String {
            server.uri.replacing("nbd://127.0.0.1", with: "nbds://localhost")
                + "?tls-certificates=\(authority.folder)"
        }
        func backup(trusting authority: TestAuthority) throws -> Int32 {
            try run {
                $0.noTelemetry = true
                $0.disks = [
                    "\(uri(source, trusting: authority))=\(uri(target, trusting: authority))"
                ]
                $0.reconnectTimeoutSeconds = 1
            }
        }
        #expect(try backup(trusting: other) == 1)
        #expect(DiskFile.blocks(folder("t")) == 0)
        #expect(try backup(trusting: authority) == 0)
        #expect(try DiskFile.content(folder("t")) == DiskFile.content(folder("s")))
    }
}
