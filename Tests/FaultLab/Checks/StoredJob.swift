import Database
import JobModel
import StackSupport

/// A job as the tables have it: its row, its disks, its events.
struct StoredJob {
    struct Event {
        var from: String?
        var to: String
        var cause: String
        /// Milliseconds since 1970 UTC, by the database's clock.
        var at: Int64

        var text: String { "\(to) (\(cause))" }
        var isMark: Bool { cause == "silent: stalled" || cause == "silent: failed" }
        /// What takes a mark back.
        var isReturn: Bool { cause == "resumed" || cause == "revived" }
    }

    var row: JobRow?
    var events: [Event]

    init(_ connection: Connection, job: String) throws {
        row = try JobRow(connection, job: job)
        events = try connection.prepare(
            "SELECT from_status, to_status, cause, at_ms FROM job_events WHERE job_id = ? ORDER BY id"
        ).query([.text(job)]).map {
            Event(from: try $0.optionalText(0), to: try $0.text(1), cause: try $0.text(2), at: try $0.int(3))
        }
    }

    var marks: [Event] { events.filter(\.isMark) }

    /// Whether the rows are what the rules make of the messages.
    ///
    /// - Returns: nil if they are; else what differs.
    func difference(from expected: Job) -> String? {
        guard let row else { return "there is no row" }
        let pairs: [(String, String, String)] =
            [
                ("bytes", "\(row.bytes)", "\(expected.bytes)"),
                ("total", "\(row.total)", "\(expected.total)"),
                ("attempt", "\(row.attempt)", "\(expected.attempt)"),
                ("seq", "\(row.seq)", "\(expected.seq)"),
                ("percent", "\(Self.hundredths(row.percent))", "\(expected.percentHundredths)"),
                ("phase", row.phase, expected.phase),
                ("disks", "\(row.disks.count)", "\(expected.disks.count)"),
            ] + zip(row.disks, expected.disks).flatMap(Self.pairs)
            + (isMarkedNow ? [] : unmarkedPairs(row, expected))
        let differing = pairs.filter { $0.1 != $0.2 }
        guard !differing.isEmpty else { return nil }
        return differing.map { "\($0.0) is \($0.1), by the rules \($0.2)" }.joined(separator: "; ")
    }

    /// The detector's mark stands: its status, text and speed are not the messages'.
    private var isMarkedNow: Bool {
        guard let row else { return false }
        return row.isPresumed || row.status == "stalled"
    }

    private func unmarkedPairs(_ row: JobRow, _ expected: Job) -> [(String, String, String)] {
        // What a mark has set stays until a message tells it anew.
        let wasMarked = !marks.isEmpty
        return [
            ("status", row.status, expected.status.rawValue),
            ("error", row.error ?? "none", expected.errorMessage ?? "none"),
            ("speed", wasMarked ? "" : "\(row.speed ?? -1)", wasMarked ? "" : "\(expected.speed ?? -1)"),
            (
                "eta", wasMarked ? "" : "\(row.etaSeconds ?? -1)",
                wasMarked ? "" : "\(expected.etaSeconds.map(Int64.init) ?? -1)"
            ),
        ]
    }

    private static func pairs(_ stored: JobRow.Disk, _ expected: Disk) -> [(String, String, String)] {
        let name = "disk \(expected.index)'s"
        return [
            ("\(name) bytes", "\(stored.bytes)", "\(expected.bytes)"),
            ("\(name) total", "\(stored.total)", "\(expected.total ?? 0)"),
            ("\(name) percent", "\(hundredths(stored.percent))", "\(expected.percentHundredths)"),
            ("\(name) change id", stored.changeID ?? "none", expected.changeID ?? "none"),
            (
                "\(name) completion", "\(stored.status == "completed")",
                "\(expected.status == .completed)"
            ),
        ]
    }

    private static func hundredths(_ percent: Double) -> Int { Int((percent * 100).rounded()) }
}
