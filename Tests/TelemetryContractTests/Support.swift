import Foundation
import JobModel
import Testing

@testable import TelemetryContract

/// A small generator whose whole state is its seed, so that a failure can be run again.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// The seed of a run of random tests: a new one each time, printed, or the one to run again.
func newSeed(_ test: String) -> UInt64 {
    let told = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap { UInt64($0) }
    let seed = told ?? UInt64.random(in: .min ... .max)
    print("\(test): TEST_SEED=\(seed)")
    return seed
}

/// What a decoder made of a body.
enum Outcome<Message: Equatable & Sendable>: Equatable, Sendable {
    case message(Message)
    case malformed
    case invalid([String])

    /// The pointers of the problems.
    var pointers: [String]? {
        guard case .invalid(let pointers) = self else { return nil }
        return pointers
    }
}

func outcome<Message>(_ decode: () throws(ContractError) -> Message) -> Outcome<Message> {
    do throws(ContractError) {
        return .message(try decode())
    } catch {
        return error.kind == .malformed ? .malformed : .invalid(error.problems.map(\.pointer))
    }
}

/// The job id that the tests' bodies carry.
func testJob() throws -> JobID {
    try #require(JobID("backup-pgtest1-1760099999"))
}

func report(_ bytes: [UInt8]) throws -> Outcome<Report> {
    let id = try testJob()
    return outcome { () throws(ContractError) in
        try TelemetryDecoder.report(body: bytes.span, jobType: "backup", jobID: id)
    }
}

func report(_ text: String) throws -> Outcome<Report> {
    try report(Array(text.utf8))
}

/// A valid message of a client with `seq`, in which a test replaces one member.
struct Body {
    static let report: [(String, String)] = [
        ("job_id", #""backup-pgtest1-1760099999""#), ("job_type", #""backup""#), ("status", #""running""#),
        ("current_phase", #""transferring""#), ("bytes_transferred", "45678901234"),
        ("total_bytes", "109521739776"), ("transfer_speed_bps", "125000000"), ("eta_seconds", "512"),
        ("progress_percent", "42.5"), ("timestamp", #""2025-10-10T14:23:45Z""#), ("attempt", "2"),
        ("seq", "7"),
        (
            "disks",
            #"[{"disk_index":0,"bytes_transferred":5,"total_bytes":10,"status":"running"}]"#
        ),
    ]
    static let completion: [(String, String)] = [
        ("change_id", #""52 66 8c 2d/5440""#), ("disk_id", "1"), ("bytes_transferred", "99"),
        ("attempt", "3"),
    ]
    static let registration: [(String, String)] = [
        ("job_id", #""backup-pgtest1-1760099999""#), ("vm_name", #""pgtest1""#), ("backup_type", #""full""#),
        ("repository_id", #""repo-1""#), ("disks", #"[{"disk_index":1,"total_bytes":20},{"disk_index":0}]"#),
        ("telemetry", "true"), ("attempt", "4"),
    ]

    /// The members as an object, one of them with another value, or left out where that is nil.
    static func text(_ members: [(String, String)], _ name: String = "", _ value: String? = nil) -> String {
        var members = members.filter { $0.0 != name }
        if let value { members.append((name, value)) }
        return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }
}
