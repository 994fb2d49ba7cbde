import Foundation
import Glibc
import Testing

@testable import SBC

/// A folder that goes when the test lets go of it.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "sbc-tests-" + UUID().uuidString
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }
}

/// A seeded generator: a failing seed can be run again.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ count: Int) -> Data {
        var data = Data(capacity: count + 8)
        while data.count < count {
            unsafe withUnsafeBytes(of: next()) { unsafe data.append(contentsOf: $0) }
        }
        return data.prefix(count)
    }
}

/// Makes files with data at some places and holes elsewhere.
enum DiskFile {
    static func make(_ path: String, size: Int, data: [(offset: Int, bytes: Data)] = []) throws {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        try handle.truncate(atOffset: UInt64(size))
        for piece in data {
            try handle.seek(toOffset: UInt64(piece.offset))
            try handle.write(contentsOf: piece.bytes)
        }
        try handle.synchronize()
    }

    /// Makes one of some size with data at some places.
    ///
    /// - Returns: its size in bytes.
    static func makeSparse(_ path: String, sizeMax: Int, _ random: inout SplitMix64) throws -> Int {
        let size = Int.random(in: 1..<sizeMax, using: &random)
        let pieces = (0..<Int.random(in: 0..<12, using: &random)).map { _ in
            let offset = Int.random(in: 0..<size, using: &random)
            return (offset, random.bytes(min(size - offset, Int.random(in: 1..<700_000, using: &random))))
        }
        try make(path, size: size, data: pieces)
        return size
    }

    static func content(_ path: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: path))
    }

    /// The room that a file takes, in blocks of 512 bytes.
    static func blocks(_ path: String) -> Int {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_blocks) : -1
    }
}

/// The members of a JSON object.
func object(_ json: JSON) throws -> [String: Any] {
    try object(Data(json.bytes))
}

func object(_ data: Data) throws -> [String: Any] {
    try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
}

/// Polls until something holds, or the time is up.
func eventually(milliseconds: Int = 5000, _ holds: () -> Bool) -> Bool {
    for _ in 0..<(milliseconds / 5) {
        if holds() { return true }
        usleep(5000)
    }
    return holds()
}

/// A job's progress with disks of 100 bytes.
func progress(_ phase: Phase = .transferring, _ dealt: Int64...) -> JobProgress {
    JobProgress(
        phase: phase,
        disks: dealt.map { bytes in
            DiskProgress(
                state: bytes == 0 ? .pending : bytes == 100 ? .completed : .transferring,
                dealt: bytes,
                moved: bytes / 2,
                total: 100,
                data: 50
            )
        }
    )
}

/// Copies disks and waits for the end.
func copyDisks(
    _ pairs: [(String, String)],
    rate: Int64? = nil,
    settings: CopySettings = CopySettings(),
    cancellation: Cancellation = Cancellation(),
    onStart: (JobCounters) -> Void = { _ in }
) throws -> (counters: JobCounters, reason: StopReason?) {
    let disks = try pairs.enumerated().map { index, pair in
        try PreparedDisk.open(
            index: index,
            source: Endpoint(pair.0),
            target: Endpoint(pair.1),
            isDirect: settings.isDirect
        )
    }
    try PreparedDisk.check(disks)
    let counters = JobCounters(totals: disks.map(\.total))
    let engine = CopyEngine(
        disks: disks,
        counters: counters,
        settings: settings,
        limit: rate.map { RateLimit(bytesPerSecond: $0) },
        cancellation: cancellation
    )
    engine.start()
    onStart(counters)
    #expect(engine.wait(milliseconds: 60_000))
    if cancellation.reason == nil { try engine.syncDirectories() }
    return (counters, cancellation.reason)
}

/// The program as it is built, not started yet.
func client(_ arguments: [String]) -> Process {
    let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let program = Process()
    program.executableURL = own.deletingLastPathComponent().appendingPathComponent("sendense-backup-client")
    program.arguments = arguments
    program.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SENDENSE") }
    program.standardInput = FileHandle.nullDevice
    return program
}
