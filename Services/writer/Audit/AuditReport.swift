import JobModel

/// What an audit prints: breaches as they are found, then what is listed apart, then the sum.
struct AuditReport {
    /// What became of a breach.
    enum Fate: String {
        /// It was found, and nobody asked to mend it.
        case found
        case mended
        /// It could not be mended.
        case left
    }

    /// What was looked at and found.
    struct Sum: Encodable {
        let kind = "summary"
        /// Jobs that count as backups.
        var jobs = 0
        /// Of these, jobs that only a hub has written.
        var hubsOwn = 0
        var childRows = 0
        var breaches = 0
        var mendable = 0
        var mended = 0
        /// Breaches that are there still.
        var left = 0
        var jobsWithBreaches = 0
        var seconds = 0.0

        private enum CodingKeys: String, CodingKey {
            case kind, jobs, breaches, mendable, mended, left, seconds
            case hubsOwn = "hubs_own"
            case childRows = "child_rows"
            case jobsWithBreaches = "jobs_with_breaches"
        }
    }

    /// Jobs that are listed by id in text, of each kind.
    private static let listedCountMax = 20

    private let isJSON: Bool
    private let write: (String) -> Void
    private var listed: [AuditNote: (lines: [String], count: Int)] = [:]
    private(set) var sum = Sum()

    init(isJSON: Bool, write: @escaping (String) -> Void) {
        self.isJSON = isJSON
        self.write = write
    }

    /// Counts a row that was read.
    mutating func saw(_ job: AuditedJob) {
        guard !job.isChildRow else { return sum.childRows += 1 }
        sum.jobs += 1
        if !job.isOurs { sum.hubsOwn += 1 }
    }

    /// Tells of one job's breaches.
    mutating func tell(_ jobID: JobID, _ breaches: [(breach: Breach, fate: Fate)]) {
        guard !breaches.isEmpty else { return }
        sum.jobsWithBreaches += 1
        for (breach, fate) in breaches {
            sum.breaches += 1
            if breach.isMendable { sum.mendable += 1 }
            if fate == .mended { sum.mended += 1 } else { sum.left += 1 }
            write(isJSON ? Line.json(BreachLine(jobID, breach, fate)) : Self.text(jobID, breach, fate))
        }
    }

    /// Tells of what is no breach: at once in JSON, at the end in text.
    mutating func note(_ id: String, _ note: AuditNote, _ detail: String) {
        guard !isJSON else {
            return write(Line.json(NoteLine(jobID: id, note: note.rawValue, detail: detail)))
        }
        var kind = listed[note, default: ([], 0)]
        kind.count += 1
        if kind.lines.count < Self.listedCountMax {
            kind.lines.append(Line.oneLine("    \(id)  \(detail)"))
        }
        listed[note] = kind
    }

    /// Ends the report.
    mutating func end(seconds: Double) {
        sum.seconds = (seconds * 1000).rounded() / 1000
        guard !isJSON else { return write(Line.json(sum)) }
        for note in AuditNote.allCases {
            guard let kind = listed[note] else { continue }
            write("no breach, \(note.heading) (\(kind.count)):")
            kind.lines.forEach(write)
            let more = kind.count - kind.lines.count
            if more > 0 { write("    and \(more) more; --json lists all") }
        }
        let rows = "\(Line.count(sum.jobs, "backup")) (\(sum.hubsOwn) written by a hub only)"
        let found =
            sum.breaches == 0
            ? "no breach"
            : "\(Line.count(sum.breaches, "breach", "breaches")) in \(Line.count(sum.jobsWithBreaches, "job"))"
                + ", \(sum.mendable) mendable, \(sum.mended) mended, \(sum.left) left"
        write("audited \(rows) in \(sum.seconds) s: \(found)")
    }

    private static func text(_ jobID: JobID, _ breach: Breach, _ fate: Fate) -> String {
        let rule = "\(jobID)  \(breach.rule.rawValue):"
        if fate == .mended {
            return Line.oneLine("mended  \(rule) was \(breach.stored), is \(breach.expected)")
        }
        let remedy = breach.obstacle.map { "cannot be mended: \($0)" } ?? "--repair mends it"
        return Line.oneLine(
            "breach  \(rule) stored \(breach.stored), should be \(breach.expected); \(remedy)"
        )
    }

    private struct BreachLine: Encodable {
        let kind = "breach"
        var jobID: String
        var rule: String
        var stored: String
        var expected: String
        var mendable: Bool
        var obstacle: String?
        var state: String

        init(_ jobID: JobID, _ breach: Breach, _ fate: Fate) {
            self.jobID = jobID.rawValue
            rule = breach.rule.rawValue
            stored = breach.stored
            expected = breach.expected
            mendable = breach.isMendable
            obstacle = breach.obstacle
            state = fate.rawValue
        }

        private enum CodingKeys: String, CodingKey {
            case kind, rule, stored, expected, mendable, obstacle, state
            case jobID = "job_id"
        }
    }

    private struct NoteLine: Encodable {
        let kind = "note"
        var jobID: String
        var note: String
        var detail: String

        private enum CodingKeys: String, CodingKey {
            case kind, note, detail
            case jobID = "job_id"
        }
    }
}
