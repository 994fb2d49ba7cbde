import JobModel
import StackSupport
import TelemetryContract
import TestSupport

/// What a job's rows may be after its client's messages: the pure rules, applied to the messages in the
/// order in which they were sent. Where a client does not know whether a message was stored, both are
/// possible.
struct Expectation {
    /// One possibility.
    struct Possible: Equatable {
        var job: Job?
        /// The events that it leaves: `status (cause)`.
        var events: [String] = []
    }

    /// More of them than a plain ledger can leave.
    private static let possibleCountMax = 4096

    private(set) var possible: [Possible] = [Possible()]
    /// The lab made the database refuse messages.
    private let mayBeRejected: Bool
    /// An answer that no possibility explains, in a line.
    private(set) var contradiction: String?

    init(_ ledger: Ledger, mayBeRejected: Bool = false) throws {
        self.mayBeRejected = mayBeRejected
        let entries = ledger.entries
        for (index, entry) in entries.enumerated() {
            let fate = Self.replacement(entries, index)
            // The next one says all that this one says, and more.
            if fate == .certain { continue }
            let message = try Self.message(entry.request)
            try take(message, entry, isOptional: fate == .possible)
            guard contradiction == nil else { return }
        }
    }

    private enum Replacement { case none, possible, certain }

    /// Whether the next message took this one's place in the outbox, as a progress may with another one.
    private static func replacement(_ entries: [Ledger.Entry], _ index: Int) -> Replacement {
        let entry = entries[index]
        guard entry.fate == .kept, isProgress(entry.request), entries.indices.contains(index + 1) else {
            return .none
        }
        let next = entries[index + 1]
        guard next.request.role == .progress else { return .none }
        switch next.fate {
        case .kept: return .certain
        // Whether it was kept nobody knows.
        case .unknown: return .possible
        case .taken, .refused: return .none
        }
    }

    private static func isProgress(_ request: ClientRequest) -> Bool {
        (request.role == .progress || request.role == .noNews) && !request.isRegistration
    }

    private mutating func take(_ message: JobMessage, _ entry: Ledger.Entry, isOptional: Bool) throws {
        var next = Distinct()
        for before in possible {
            var after = before
            let effect = Job.apply(message, to: &after.job)
            after.events += effect.changes.map { "\($0.to.rawValue) (\($0.cause.rawValue))" }
            switch entry.fate {
            case .taken where Self.isSuccess(effect.answer.verdict): next.add(after)
            case .taken: break
            case .kept: next.add(after)
            case .unknown:
                next.add(after)
                next.add(before)
            case .refused(let status, _):
                if status == 422, mayBeRejected { next.add(before) }
                if Self.status(effect.answer.verdict) == status { next.add(after) }
            }
            if isOptional { next.add(before) }
        }
        guard next.all.count <= Self.possibleCountMax else {
            throw EndToEndError("too many possibilities for \(message.jobID)")
        }
        guard !next.all.isEmpty else {
            contradiction = "answered \(entry.fate) to \(entry.request.path) \(entry.request.body)"
            return
        }
        possible = next.all
    }

    /// Possibilities, each once.
    private struct Distinct {
        private(set) var all: [Possible] = []
        private var places: [Int: [Int]] = [:]

        mutating func add(_ one: Possible) {
            var hasher = Hasher()
            hasher.combine(one.events.count)
            for disk in one.job?.disks ?? [] {
                hasher.combine(disk.bytes)
                hasher.combine(disk.status)
            }
            let hash = hasher.finalize()
            guard !places[hash, default: []].contains(where: { all[$0] == one }) else { return }
            places[hash, default: []].append(all.count)
            all.append(one)
        }
    }

    private static func isSuccess(_ verdict: Verdict) -> Bool {
        switch verdict {
        case .applied, .created, .repeated, .superseded: true
        default: false
        }
    }

    private static func status(_ verdict: Verdict) -> Int {
        switch verdict {
        case .unknownJob, .unknownDisk: 404
        case .terminal, .conflict: 409
        case .rejected: 422
        default: 0
        }
    }

    /// What a request says, as ingest reads it.
    static func message(_ request: ClientRequest) throws -> JobMessage {
        let body = Array(request.body.utf8)
        if request.isRegistration { return .registration(try TelemetryDecoder.registration(body: body.span)) }
        let parts = request.path.split(separator: "/").map(String.init)
        let isReport = parts[2] == "telemetry"
        guard let job = JobID(isReport ? parts[4] : parts[3]) else {
            throw EndToEndError("no job id in \(request.path)")
        }
        return isReport
            ? .report(try TelemetryDecoder.report(body: body.span, jobType: "backup", jobID: job))
            : .completion(try TelemetryDecoder.completion(body: body.span, jobID: job))
    }
}
