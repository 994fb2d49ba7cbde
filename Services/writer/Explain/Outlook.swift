import Database
import JobModel

/// What comes next for a job, as its state and the rules have it.
struct Outlook: Equatable {
    /// What comes next, in sentences.
    private(set) var sentences: [String]
    /// Whether the job's status may change still.
    private(set) var mayChange: Bool

    init(_ record: JobRecord, _ rule: StaleRule) {
        guard record.foreignWord == nil else {
            sentences = ["Messages for it are answered 422 until one of them stands there."]
            mayChange = true
            return
        }
        guard let audited = record.job else {
            sentences = ["Its row is gone: messages for it are answered 404, until it is registered anew."]
            mayChange = false
            return
        }
        if audited.isChildRow {
            sentences = ["It is a hub's own row for one disk, no backup of its own: nothing here touches it."]
            mayChange = false
            return
        }
        let job = audited.job
        mayChange = !job.isFinal
        switch job.status {
        case .pending:
            sentences = ["It begins with its client's first report, or with its registration."]
        case .running, .stalled:
            sentences = Self.alive(job, record, rule)
        case .completed:
            sentences = ["It is final: no message moves it any more."]
            let missing = job.disks.filter { $0.changeID == nil }.map { "\($0.index)" }
            if !missing.isEmpty, audited.isOurs {
                let disks = missing.joined(separator: ", ")
                sentences.append(
                    "A /complete may still bring the change id that is missing of disk \(disks)."
                )
            }
        case .failed where job.isPresumed:
            sentences = [
                "The failure is presumed, nobody reported it: the client's next newer report, or a /complete, "
                    + "takes it back, and the job goes on.",
                "A registration begins attempt \(job.attempt + 1) from zero.",
            ]
        case .failed, .cancelled:
            let heard = job.status == .failed ? "Its client reported it" : "Its client is told to stop"
            sentences = [
                "\(heard), so attempt \(job.attempt) is final.",
                "A registration begins attempt \(job.attempt + 1) from zero.",
            ]
            mayChange = true
        }
    }

    private static func alive(_ job: Job, _ record: JobRecord, _ rule: StaleRule) -> [String] {
        let now = record.nowMilliseconds
        let disks = job.disks.filter { $0.status != .completed }
        let end =
            disks.isEmpty
            ? "It completes with its client's word that it has."
            : "It completes once all of its disks have; \(disks.count) of \(job.disks.count) "
                + "\(disks.count == 1 ? "is" : "are") open."
        guard let heard = record.heardMilliseconds else {
            return [
                "Its client has never reported nor announced reports, so its silence cannot be judged: it stays "
                    + "\(job.status.rawValue) until somebody tells its end or cancels it.", end,
            ]
        }
        var sentences: [String] = []
        if job.status == .running {
            sentences.append(due("stalled", heard + rule.stalledAfterSeconds * 1000, now))
        }
        sentences.append(due("presumed failed", heard + rule.failedAfterSeconds * 1000, now))
        if job.status == .stalled {
            sentences.append("Its client's next report makes it running again.")
        }
        return sentences + [end]
    }

    private static func due(_ what: String, _ at: Int64, _ now: Int64) -> String {
        if at > now {
            return
                "It will be \(what) at \(Explanation.time(at, now)), at the earliest, unless its client reports."
        }
        let late = DurationWords.text(milliseconds: now - at)
        return
            "It has been due to be \(what) for \(late): the stale-detector marks it with its next look, or it "
            + "is down, or makes allowance for an outage of this system."
    }
}
