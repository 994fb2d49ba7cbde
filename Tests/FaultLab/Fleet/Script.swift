import StackSupport
import TestSupport

/// The requests of one backup, one at a time.
protocol Script: Sendable {
    var job: String { get }
    /// Has `seq`: repeats each request until it is acknowledged.
    var isNew: Bool { get }
    /// The next request; nil after the last. A backup that would go on for ever comes to its end once the
    /// fleet is closing.
    mutating func next(isClosing: Bool) -> ClientRequest?
}

/// What a backup is like.
struct BackupShape: Sendable {
    enum Ending: Sendable { case completed, failed, cancelled }

    var totals: [Int64]
    /// Reports with numbers; nil for as many as there is time for.
    var steps: Int?
    var ending: Ending

    /// One that goes on until it is told to end.
    static func endless(_ generator: inout SplitMix64) -> BackupShape {
        let count = Int.random(in: 1...3, using: &generator)
        let totals = (0..<count).map { _ in Int64.random(in: 1 << 40...1 << 41, using: &generator) }
        return BackupShape(totals: totals, steps: nil, ending: .completed)
    }

    /// A short one; one in five ends badly.
    static func short(_ generator: inout SplitMix64) -> BackupShape {
        let count = Int.random(in: 1...3, using: &generator)
        let totals = (0..<count).map { _ in Int64.random(in: 1 << 20...1 << 40, using: &generator) }
        let ending: Ending =
            switch Int.random(in: 0..<10, using: &generator) {
            case 0: .failed
            case 1: .cancelled
            default: .completed
            }
        return BackupShape(
            totals: totals,
            steps: Int.random(in: 2...8, using: &generator),
            ending: ending
        )
    }

    /// What an old client's may be like: each message that nobody answers doubles what may be stored, and a
    /// backup that falls into an outage as a whole has only such.
    var limited: BackupShape {
        var shape = self
        shape.totals = Array(totals.prefix(2))
        shape.steps = steps.map { min($0, 5) }
        return shape
    }

    /// The registration that a hub or a client sends for it.
    func registration(_ job: String, attempt: Int? = nil, announces: Bool) -> ClientRequest {
        let disks = totals.enumerated().map { #"{"disk_index":\#($0),"total_bytes":\#($1)}"# }
        return ClientRequest(
            .noNews,
            disk: 0,
            path: ClientRequest.registrationPath,
            body: """
                {"job_id":"\(job)","vm_name":"lab","backup_type":"full","telemetry":\(announces),\
                "disks":[\(disks.joined(separator: ","))]\(attempt.map { ",\"attempt\":\($0)" } ?? "")}
                """
        )
    }
}

extension ClientRequest {
    static let registrationPath = "/api/v1/backups"

    var isRegistration: Bool { path == Self.registrationPath }
}
