import Foundation
import Glibc
import Logging
import TestSupport
import Testing
import Threading

@testable import SBC

/// What is refused before anything is done, and what it says.
@Suite(.serialized) struct RefusalTests {
    private let folder = TemporaryFolder()

    private func options(_ disks: [(String, String)]) -> BackupOptions {
        var options = BackupOptions(vm: "pg", jobID: "job-1", disks: disks.map { "\($0.0)=\($0.1)" })
        options.noTelemetry = true
        options.quiet = true
        options.stateDirectory = folder("state")
        options.reconnectTimeoutSeconds = 1
        return options
    }

    private func plan(_ options: BackupOptions) throws(UsageError) -> BackupPlan {
        try BackupPlan(options, environment: [:], nowMilliseconds: 0)
    }

    private func run(_ options: BackupOptions) throws -> Int32 {
        BackupRun(
            plan: try plan(options),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ).run()
    }

    private func makeList(_ text: String) throws -> String {
        try text.write(toFile: folder("list.json"), atomically: true, encoding: .utf8)
        return folder("list.json")
    }

    @Test(arguments: [false, true])
    func `what a failed full copy left is brought up to date by a full copy only`(isServed: Bool) throws {
        let bad = try NBDServer.nbdkit([
            "eval", "get_size=echo 8388608",
            "pread=if [ $4 -ge 4194304 ]; then echo 'EIO bad sector' >&2; exit 1; fi; "
                + "head -c $3 /dev/zero | tr '\\000' x",
        ])
        defer { bad.stop() }
        try DiskFile.make(folder("good"), size: 8 << 20, data: [(0, Data("good".utf8))])
        try DiskFile.make(folder("t"), size: 8 << 20)
        let server = isServed ? try NBDServer.nbdkit(["file", folder("t")]) : nil
        defer { server?.stop() }
        let target = server?.uri ?? folder("t")
        #expect(try run(options([(bad.uri, target)])) == 1)
        var incremental = options([(folder("good"), target)])
        incremental.isIncremental = true
        incremental.changedBlocks = [try makeList("[]")]
        #expect(try run(incremental) == 1)
        #expect(DryRun(plan: try plan(incremental)).run() == 1)
        #expect(try run(options([(folder("good"), target)])) == 0)
        #expect(DryRun(plan: try plan(incremental)).run() == 0)
        #expect(try run(incremental) == 0)
    }

    @Test func `a dry run of an incremental backup looks at its target and its list`() throws {
        try DiskFile.make(folder("s"), size: 1 << 20)
        try DiskFile.make(folder("t"), size: 1 << 20)
        func dryRun(_ target: String, _ list: String?, bitmap: String? = nil) throws -> Int32 {
            var options = options([(folder("s"), target)])
            options.isIncremental = true
            options.bitmap = bitmap
            if let list { options.changedBlocks = [try makeList(list)] }
            return DryRun(plan: try plan(options)).run()
        }
        #expect(try dryRun(folder("t"), "[]") == 0)
        #expect(try dryRun(folder("none"), "[]") == 1)
        #expect(try dryRun(folder("t"), #"[{"offset":1048576,"length":1}]"#) == 1)
        #expect(try dryRun(folder("t"), nil, bitmap: "b") == 1)
        #expect(!FileManager.default.fileExists(atPath: folder("none")))
    }

    @Test func `a dry run asks the source for its bitmap`() throws {
        try qemuImage(["create", "-q", "-f", "qcow2", folder("q"), "1M"])
        try qemuImage(["bitmap", "--add", folder("q"), "b0"])
        try DiskFile.make(folder("t"), size: 1 << 20)
        let server = try NBDServer.qemu(folder("q"), format: "qcow2", options: ["-r", "-B", "b0"])
        defer { server.stop() }
        var options = options([(server.uri, folder("t"))])
        options.isIncremental = true
        options.bitmap = "b0"
        #expect(DryRun(plan: try plan(options)).run() == 0)
        options.bitmap = "b1"
        #expect(DryRun(plan: try plan(options)).run() == 1)
    }

    @Test(arguments: [".", ".."])
    func `a job id that is a path's dots is refused`(jobID: String) throws {
        var options = options([("/a", "/b")])
        options.jobID = jobID
        let error = #expect(throws: UsageError.self) { try plan(options) }
        #expect(error?.description.contains("--job-id") == true)
    }

    @Test func `QEMU's old spelling of an NBD address is refused with the new one`() throws {
        for text in ["/s=nbd:127.0.0.1:10809", "nbd:127.0.0.1:10809=/t"] {
            let fault = #expect(throws: DiskArgument.Fault.self) { try DiskArgument(text) }
            #expect(fault?.description.contains("nbd://127.0.0.1:10809") == true, "\(text)")
        }
        let named = #expect(throws: DiskArgument.Fault.self) {
            try DiskArgument("/s=nbd:127.0.0.1:10809:exportname=vm")
        }
        #expect(named?.description.contains("nbd://127.0.0.1:10809/vm") == true)
        let socket = #expect(throws: DiskArgument.Fault.self) { try DiskArgument("nbd:unix:/run/s=/t") }
        #expect(socket?.description.contains("nbd+unix:///?socket=/run/s") == true)
        #expect(try DiskArgument("./nbd:x=/t").source == .path("./nbd:x"))
        let yaml = "vms:\n  - name: a\n    disks:\n      - {source: /a, target: nbd:h:1}\n"
        let fault = #expect(throws: Inventory.Fault.self) { try Inventory(yaml: yaml, file: "sbc.yaml") }
        #expect(fault?.description.hasPrefix("sbc.yaml:4:") == true)
        #expect(fault?.description.contains("nbd://h:1") == true)
    }

    @Test(arguments: ["~", "null", ""])
    func `a YAML null is no text`(null: String) throws {
        let yaml = "vms:\n  - name: a\n    disks:\n      - source: /a\n        target: \(null)\n"
        let fault = #expect(throws: Inventory.Fault.self) { try Inventory(yaml: yaml, file: "sbc.yaml") }
        // Where there is nothing, libyaml has its own mind about the place.
        let place = null.isEmpty ? "sbc.yaml:" : "sbc.yaml:5:17: "
        #expect(fault?.description.hasPrefix(place) == true, "\(String(describing: fault))")
        let words = "vms[0].disks[0].target: must be a text, and is null"
        #expect(fault?.description.contains(words) == true)
        let quoted = yaml.replacingOccurrences(of: "target: \(null)", with: "target: \"~\"")
        #expect(try Inventory(yaml: quoted, file: "").machines[0].disks[0].target == .path("~"))
    }

    @Test func `a file that cannot be read is refused with the reason`() throws {
        var options = options([("/a", "/b")])
        options.isIncremental = true
        options.changedBlocks = [folder.path]
        var error = #expect(throws: UsageError.self) { try plan(options) }
        #expect(error?.description.contains("Is a directory") == true, "\(String(describing: error))")
        options.changedBlocks = [folder("none")]
        error = #expect(throws: UsageError.self) { try plan(options) }
        #expect(error?.description.contains("No such file") == true, "\(String(describing: error))")
        for (bytes, words) in [
            ([0xFF, 0xFE, 0x76, 0x00], "UTF-16"), ([0x76, 0xE9, 0x0A], "not UTF-8"),
            ([UInt8](repeating: 0, count: 100_000), "control character"),
        ] {
            try Data(bytes).write(to: URL(fileURLWithPath: folder("c")))
            options.config = folder("c")
            let start = MonotonicClock.nowMilliseconds
            error = #expect(throws: UsageError.self) { try plan(options) }
            #expect(error?.description.contains(words) == true, "\(String(describing: error).prefix(300))")
            #expect(error?.description.utf8.count ?? 0 < 500)
            #expect(MonotonicClock.nowMilliseconds - start < 2000)
        }
    }

    @Test func `lists and inventories may come from a pipe`() throws {
        func pipe(_ text: String) -> Pipe {
            let pipe = Pipe()
            try? pipe.fileHandleForWriting.write(contentsOf: Data(text.utf8))
            try? pipe.fileHandleForWriting.close()
            return pipe
        }
        let list = pipe(#"[{"offset":0,"length":5}]"#)
        let inventory = pipe("vms:\n  - name: pg\n    disks: [{source: /a, target: /b}]\n")
        var options = options([])
        options.isIncremental = true
        options.changedBlocks = ["/dev/fd/\(list.fileHandleForReading.fileDescriptor)"]
        options.config = "/dev/fd/\(inventory.fileHandleForReading.fileDescriptor)"
        let plan = try plan(options)
        #expect(plan.changes == [.list(ChangeList(areas: [0..<5]))])
        #expect(plan.disks == [DiskArgument(source: .path("/a"), target: .path("/b"))])
    }

    @Test(.timeLimit(.minutes(1))) func `a large inventory is read and checked in a time that grows with it`()
        throws
    {
        var yaml = "vms:\n"
        for number in 0..<12_000 { yaml += "- {name: v\(number), disks: [{source: /none/\(number)}]}\n" }
        let inventory = try Inventory(yaml: yaml, file: "sbc.yaml")
        #expect(inventory.machines.count == 12_000)
        yaml += "- {name: v7, disks: [{source: /none}]}\n"
        let fault = #expect(throws: Inventory.Fault.self) { try Inventory(yaml: yaml, file: "sbc.yaml") }
        #expect(fault?.description.contains("v7 occurs twice") == true)
    }

    @Test(.timeLimit(.minutes(1))) func `many changed areas are copied in a time that grows with them`()
        throws
    {
        let count = 20_000
        try DiskFile.make(folder("s"), size: count * 8192)
        try DiskFile.make(folder("t"), size: count * 8192)
        let server = try NBDServer.nbdkit(["-r", "file", folder("s")])
        defer { server.stop() }
        let areas = (0..<Int64(count)).map { $0 * 8192..<$0 * 8192 + 4096 }
        let disk = try PreparedDisk.open(
            index: 0,
            source: .uri(server.uri),
            target: .path(folder("t")),
            changes: .list(ChangeList(areas: areas))
        )
        let counters = JobCounters(totals: [disk.total])
        let engine = CopyEngine(disks: [disk], counters: counters, limit: nil, cancellation: Cancellation())
        engine.start()
        #expect(engine.wait(milliseconds: 60_000))
        #expect(counters.progress.disks[0].state == .completed)
    }

    @Test func `requests that would take more memory than is sensible are refused with the numbers`() throws {
        var options = options([("nbd://a", "/b")])
        options.requests = 128
        options.requestSize = "32M"
        options.connections = 4
        let error = #expect(throws: UsageError.self) { try plan(options) }
        #expect(error?.description.contains("--requests") == true)
        #expect(error?.description.contains("16.0 GiB") == true, "\(String(describing: error))")
    }

    /// Runs the program as it is built, by a shell.
    private func runProgram(_ script: String) throws -> (status: Int32, errors: String) {
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let program = Process()
        program.executableURL = URL(fileURLWithPath: "/bin/bash")
        program.arguments = [
            "-c", "cd \"$1\"; client=$2; \(script)", "bash", folder.path,
            own.deletingLastPathComponent().appendingPathComponent("sendense-backup-client").path,
        ]
        let errors = Pipe()
        program.standardError = errors
        program.standardOutput = FileHandle.nullDevice
        try program.run()
        let text = errors.fileHandleForReading.readDataToEndOfFile()
        program.waitUntilExit()
        return (program.terminationStatus, String(decoding: text, as: UTF8.self))
    }

    @Test(.timeLimit(.minutes(1)))
    func `an argument that is not UTF-8 is refused, and no other file written`() throws {
        try DiskFile.make(folder("s"), size: 4096)
        let (status, errors) = try runProgram(
            #""$client" --vm pg --no-telemetry --log-file log --state-dir state --disk s=$'t\xff'"#
        )
        #expect(status == 2)
        #expect(errors.contains("not UTF-8"), "\(errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["s"])
    }

    @Test(.timeLimit(.minutes(1))) func `a state folder that cannot be written is said on standard error`()
        throws
    {
        try DiskFile.make(folder("s"), size: 4096)
        try DiskFile.make(folder("t"), size: 4096)
        let server = try NBDServer.nbdkit(["file", folder("t")])
        defer { server.stop() }
        let (status, errors) = try runProgram(
            #""$client" --vm pg --no-telemetry --log-file log --state-dir /proc/none --disk 's=\#(server.uri)'"#
        )
        #expect(status == 0)
        #expect(
            errors.contains("warning: the target cannot be locked, another run might write it too"),
            "\(errors)"
        )
    }
}
