import Database
import JobModel
import Logs

/// Why a job is in its state, in sentences. Pure: the record and the thresholds tell all.
struct Explanation: Equatable {
    /// One event of the time line.
    struct Moment: Equatable {
        /// When, in milliseconds since 1970 UTC.
        var atMilliseconds: Int64
        /// Milliseconds since the event before. nil for the first one.
        var sinceMilliseconds: Int64?
        var attempt: Int64
        /// The status that it led to.
        var status: String
        /// What happened and why.
        var sentence: String
    }

    /// What the job is, and the shortest reason.
    var headline: String
    /// What happened, the oldest first.
    var moments: [Moment]
    /// How the rows stand now.
    var standing: [String]
    /// What comes next.
    var outlook: [String]
    /// Whether the job's status may change still.
    var mayChange: Bool

    init(_ record: JobRecord, _ rule: StaleRule) {
        moments = Self.moments(record)
        headline = Self.headline(record, moments.last)
        standing = Self.standing(record)
        let outlook = Outlook(record, rule)
        self.outlook = outlook.sentences
        mayChange = outlook.mayChange
    }

    private static func headline(_ record: JobRecord, _ newest: Moment?) -> String {
        if let word = record.foreignWord { return word.sentence(record.id) }
        guard let audited = record.job else {
            let last = record.events.last.map { "; it was \($0.to) when last heard of" } ?? ""
            return "\(record.id): its row is gone, only its events remain\(last)."
        }
        let job = audited.job
        let name = "\(job.id) (\(job.backupType.rawValue) backup of VM \(job.vmName), attempt \(job.attempt))"
        let state = job.isPresumed ? "\(job.status.rawValue) by presumption" : job.status.rawValue
        guard let change = audited.newestChange else {
            let why = audited.isOurs ? "its events were removed" : "only the hub has written this row"
            return "\(name) is \(state). Nothing is on record of why: \(why)."
        }
        guard change.to == job.status.rawValue, change.attempt == job.attempt else {
            return "\(name) is \(state), but its newest event says \(change.to), attempt \(change.attempt): "
                + "another program has changed the row."
        }
        return "\(name) is \(state): \(reason(change.cause))."
    }

    private static func moments(_ record: JobRecord) -> [Moment] {
        var moments: [Moment] = []
        for event in record.events {
            let evidence = event.evidence.isEmpty ? "" : ": \(EvidenceWords.text(event.evidence))"
            moments.append(
                Moment(
                    atMilliseconds: event.atMilliseconds,
                    sinceMilliseconds: moments.last.map { event.atMilliseconds - $0.atMilliseconds },
                    attempt: event.attempt,
                    status: event.to,
                    sentence: "\(reason(event.cause))\(evidence)"
                )
            )
        }
        return moments
    }

    /// A cause as a clause.
    private static func reason(_ cause: String) -> String {
        switch StatusChange.Cause(rawValue: cause) {
        case .registered: "it was registered and began"
        case .restarted: "a new attempt was registered and began from zero"
        case .firstContact: "its client was heard for the first time"
        case .resumed: "its client was heard again, and the job goes on"
        case .revived: "its client was heard again, and the presumed failure was taken back"
        case .reportedCompleted: "its client reported it completed, and all its disks are"
        case .disksCompleted: "its last disk was completed"
        case .reportedFailed: "its client reported a failure"
        case .reportedCancelled: "its client reported that it was cancelled"
        case .cancelRequested: "somebody asked to cancel it"
        case .bytesPresumed: "its client told no bytes of a completed disk"
        case .silentStalled: "its client fell silent"
        case .silentFailed: "its client stayed silent, and is presumed to have died"
        case .auditRepair: "an audit mended its rows"
        case nil: "the cause is \"\(cause)\""
        }
    }

    private static func standing(_ record: JobRecord) -> [String] {
        guard let audited = record.job else { return [] }
        let job = audited.job
        var lines = ["\(progress(job.percentHundredths, job.bytes, job.total)), phase \"\(job.phase)\""]
        for disk in job.disks {
            let text = progress(disk.percentHundredths, disk.bytes, disk.total)
            let error = disk.errorMessage.map { ", \"\($0)\"" } ?? ""
            lines.append("disk \(disk.index) \(disk.status.rawValue): \(text)\(error)")
        }
        if job.disks.isEmpty { lines.append("it has no disk rows") }
        if let text = job.errorMessage { lines.append("error text: \"\(text)\"") }
        if let started = record.startedMilliseconds {
            lines.append("begun \(time(started, record.nowMilliseconds))")
        }
        if let ended = record.endedMilliseconds {
            lines.append("ended \(time(ended, record.nowMilliseconds))")
        }
        if let heard = record.heardMilliseconds {
            let number = job.seq > 0 ? ", last message number \(job.seq)" : ""
            lines.append("last sign of life \(time(heard, record.nowMilliseconds))\(number)")
        } else {
            lines.append("its client has never reported, nor announced reports")
        }
        if let history = record.history {
            let peak = history.peakSpeed.map { ", at most \(SizeWords.text($0))/s" } ?? ""
            let from = UTCTime.text(milliseconds: history.firstMilliseconds)
            let to = UTCTime.text(milliseconds: history.lastMilliseconds)
            lines.append(
                "history: \(Line.count(Int(history.pointCount), "point")) from \(from) to \(to)\(peak)"
            )
        }
        for breach in audited.audit().breaches {
            lines.append(
                "breach of the rule \(breach.rule.rawValue): stored \(breach.stored), should be "
                    + "\(breach.expected); see sendense-writer audit"
            )
        }
        return lines
    }

    private static func progress(_ hundredths: Int32, _ bytes: Int64, _ total: Int64?) -> String {
        let percent = "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) %"
        let whole = total.flatMap { $0 > 0 ? SizeWords.text($0) : nil } ?? "unknown size"
        return "\(percent), \(SizeWords.text(bytes)) of \(whole)"
    }

    /// An instant in UTC, and how far it lies from now.
    static func time(_ milliseconds: Int64, _ now: Int64) -> String {
        let words = DurationWords.text(milliseconds: abs(now - milliseconds))
        let text = UTCTime.text(milliseconds: milliseconds)
        return milliseconds <= now ? "\(text), \(words) ago" : "\(text), in \(words)"
    }
}
