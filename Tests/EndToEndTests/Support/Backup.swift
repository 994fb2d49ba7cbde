import StackSupport
import Foundation

/// One backup by the real client: disk images, their targets, and the client's command line.
struct Backup {
    /// A disk to make: random data at its start, a hole behind it.
    struct Disk {
        var dataKiB: Int
        var sizeKiB: Int
    }

    let stack: Stack
    let vm: String
    let jobID: String
    let sizes: [Int64]
    private let folder: String

    /// Makes the disks' images.
    init(_ stack: Stack, vm: String, job: String, disks: [Disk]) throws {
        self.stack = stack
        self.vm = vm
        jobID = job
        folder = "\(stack.folder)/\(job)"
        sizes = disks.map { Int64($0.sizeKiB) * 1024 }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (index, disk) in disks.enumerated() {
            let output = try stack.shell(
                "head -c \(disk.dataKiB)K /dev/urandom >\(source(index))\n"
                    + "truncate -s \(disk.sizeKiB)K \(source(index))"
            )
            guard output.status == 0 else { throw EndToEndError("no disk image: \(output)") }
        }
    }

    func source(_ disk: Int) -> String { "\(folder)/source-\(disk).raw" }
    func target(_ disk: Int) -> String { "\(folder)/target-\(disk).raw" }

    /// The bytes of all disks.
    var size: Int64 { sizes.reduce(0, +) }

    /// Starts the client, with `--rate-limit` and the milliseconds between two reports where they are given,
    /// another port for the hub than ingest's, and further arguments.
    func start(
        rate: String? = nil,
        intervalMilliseconds: Int? = nil,
        hubPort: Int? = nil,
        arguments further: [String] = []
    ) throws -> Command {
        let variables = try stack.variables()
        var environment = try environment(hubPort: hubPort)
        if let intervalMilliseconds {
            environment["SENDENSE_SBC_REPORT_INTERVAL_MS"] = "\(intervalMilliseconds)"
        }
        var arguments = [variables["SENDENSE_SBC"] ?? "", "--vm", vm, "--job-id", jobID, "--json"]
        for index in sizes.indices { arguments += ["--disk", "\(source(index))=\(target(index))"] }
        if let rate { arguments += ["--rate-limit", rate] }
        return try stack.launch(arguments + further, variables: environment)
    }

    /// Delivers what the client has spooled, within this time, and waits for it.
    func flush(hubPort: Int? = nil, seconds: Int) throws -> Command.Output {
        let client = try stack.variables()["SENDENSE_SBC"] ?? ""
        return try stack.launch(
            [client, "flush", "--timeout", "\(seconds)"],
            variables: environment(hubPort: hubPort)
        ).wait(seconds: seconds + 20)
    }

    private func environment(hubPort: Int?) throws -> [String: String] {
        let ingest = try stack.variables()["SENDENSE_INGEST_URL"] ?? ""
        return [
            "SHA_API_URL": hubPort.map { "http://127.0.0.1:\($0)" } ?? ingest,
            "SENDENSE_SBC_LOG": logPath,
            "SENDENSE_SBC_STATE_DIR": folder + "/state",
        ]
    }

    private var logPath: String { folder + "/sbc.log" }

    /// The client's log.
    var log: String {
        String(decoding: FileManager.default.contents(atPath: logPath) ?? Data(), as: UTF8.self)
    }

    /// Whether every target has its source's bytes.
    func targetsAreIdentical() throws -> Bool {
        try sizes.indices.allSatisfy { try stack.shell("cmp \(source($0)) \(target($0))").status == 0 }
    }
}
