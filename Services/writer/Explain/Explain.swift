import Database
import JobModel
import Logs
import ServiceKit

/// Tells why one job is in its state.
enum Explain {
    /// The exit status where there is no such job.
    private static let unknownStatus: Int32 = 4

    /// Prints the explanation.
    ///
    /// - Throws: `ProgramEnd` if nothing is on record of the job, `DatabaseError` if the database cannot be read.
    static func run(_ settings: DatabaseSettings, _ options: AuditOptions, jobID: String) async throws {
        try await OneShot.run(name: "explain") {
            let store = JobRecordStore(try Connection.open(settings))
            guard let id = JobID(jobID), let record = try store.record(id) else {
                let hints = try store.hints(for: jobID).joined(separator: ", ")
                let hint = hints.isEmpty ? ", nor one like it" : "; did you mean \(hints)?"
                throw ProgramEnd(
                    status: unknownStatus,
                    Line.oneLine("there is no backup job \"\(jobID)\"\(hint)")
                )
            }
            let explanation = Explanation(record, options.rule)
            let lines = options.isJSON ? jsonLines(explanation, record) : textLines(explanation, record)
            lines.forEach { print($0) }
        }
    }

    static func textLines(_ explanation: Explanation, _ record: JobRecord) -> [String] {
        var lines = [explanation.headline, "", "What happened:"]
        if record.olderEventCount > 0 { lines.append("  (\(record.olderEventCount) older events)") }
        if explanation.moments.isEmpty { lines.append("  no event is on record") }
        for moment in explanation.moments {
            let since = moment.sinceMilliseconds.map { "+\(DurationWords.text(milliseconds: $0))" } ?? ""
            lines.append(
                "  \(UTCTime.text(milliseconds: moment.atMilliseconds))  \(padded(since, 13))  "
                    + "\(padded(moment.status, 9))  \(moment.sentence)"
            )
        }
        if !explanation.standing.isEmpty { lines += ["", "How it stands:"] }
        lines += explanation.standing.map { "  \($0)" }
        lines += ["", "What comes next:"] + explanation.outlook.map { "  \($0)" }
        lines.append(
            "  Its status \(explanation.mayChange ? "may still change" : "does not change any more")."
        )
        return lines.map(Line.oneLine)
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    static func jsonLines(_ explanation: Explanation, _ record: JobRecord) -> [String] {
        let events = zip(record.events, explanation.moments).map { event, moment in
            Line.json(
                EventLine(
                    at: UTCTime.text(milliseconds: event.atMilliseconds),
                    sinceMilliseconds: moment.sinceMilliseconds,
                    attempt: event.attempt,
                    from: event.from,
                    to: event.to,
                    cause: event.cause,
                    evidence: event.evidence,
                    sentence: moment.sentence
                )
            )
        }
        let summary = SummaryLine(
            jobID: record.id.rawValue,
            status: record.job?.job.status.rawValue,
            headline: explanation.headline,
            standing: explanation.standing,
            outlook: explanation.outlook,
            mayChange: explanation.mayChange,
            olderEvents: record.olderEventCount
        )
        return events + [Line.json(summary)]
    }

    private struct EventLine: Encodable {
        let kind = "event"
        var at: String
        var sinceMilliseconds: Int64?
        var attempt: Int64
        var from: String?
        var to: String
        var cause: String
        var evidence: String
        var sentence: String

        private enum CodingKeys: String, CodingKey {
            case kind, at, attempt, from, to, cause, evidence, sentence
            case sinceMilliseconds = "since_ms"
        }
    }

    private struct SummaryLine: Encodable {
        let kind = "explanation"
        var jobID: String
        var status: String?
        var headline: String
        var standing: [String]
        var outlook: [String]
        var mayChange: Bool
        var olderEvents: Int64

        private enum CodingKeys: String, CodingKey {
            case kind, status, headline, standing, outlook
            case jobID = "job_id"
            case mayChange = "may_change"
            case olderEvents = "older_events"
        }
    }
}
