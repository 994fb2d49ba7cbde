/// What an audit lists apart: it is no breach, and somebody may want to know.
public enum AuditNote: String, Sendable, CaseIterable {
    /// Nobody can judge the job's silence: its client has never reported.
    case neverReported = "never-reported"
    /// The job has been silent for longer than the thresholds allow; the stale-detector has not marked it yet.
    case silent
    /// A hub's own row for one disk, no backup of its own.
    case childRow = "child-row"
    /// A hub called the job completed while disks of it were open.
    case completedEarly = "completed-early"
    /// A completed full backup of disks with a size, about which no bytes were ever told.
    case noBytes = "no-bytes"
    /// A disk of which more bytes were told than it has.
    case beyondTotal = "beyond-total"
    /// A row that no rule can judge: its id, type or status is none that we know.
    case unreadable

    /// What jobs of this kind have in common, for a heading.
    public var heading: String {
        switch self {
        case .neverReported: "cannot be judged: running, and its client has never reported"
        case .silent: "silent for longer than the thresholds, and not marked yet"
        case .childRow: "a hub's own row for one disk, no backup: left alone"
        case .completedEarly: "completed by a hub before all of its disks were"
        case .noBytes: "a completed full backup about which no bytes were ever told"
        case .beyondTotal: "a client told more bytes than the disk has"
        case .unreadable: "no rule can judge it: id, type or status is none that we know"
        }
    }
}

extension AuditedJob {
    /// What is to be listed of the job, with a detail each.
    ///
    /// - Parameter rule: the thresholds of silence.
    /// - Returns: none for most jobs.
    public func notes(_ rule: StaleRule) -> [(note: AuditNote, detail: String)] {
        if isChildRow { return [(.childRow, "of VM \(job.vmName)")] }
        var notes: [(note: AuditNote, detail: String)] = []
        let age = ageMilliseconds.map { "begun \(DurationWords.text(milliseconds: $0)) ago" }
        switch job.status {
        case .running, .stalled:
            if !job.hasTelemetry {
                notes.append((.neverReported, age ?? job.status.rawValue))
            } else if let silence = silenceMilliseconds,
                rule.mark(status: job.status, silenceMilliseconds: silence) != nil
            {
                let words = DurationWords.text(milliseconds: silence)
                notes.append((.silent, "\(job.status.rawValue), silent for \(words)"))
            }
        case .completed:
            let open = job.disks.filter { $0.status != .completed }
            if !isOurs, !open.isEmpty {
                let words = open.map { "disk \($0.index) \($0.status.rawValue)" }.joined(separator: ", ")
                notes.append((.completedEarly, words))
            }
            let size = job.disks.reduce(0) { addingSaturated($0, $1.total ?? 0) }
            if job.backupType == .full, size > 0, job.bytes == 0, job.disks.allSatisfy({ $0.bytes == 0 }) {
                notes.append((.noBytes, "disks of \(size) bytes"))
            }
        case .pending, .failed, .cancelled: break
        }
        for disk in job.disks where isOurs && disk.bytes > disk.total ?? .max {
            notes.append((.beyondTotal, "disk \(disk.index), \(disk.bytes) of \(disk.total ?? 0) bytes"))
        }
        return notes
    }
}
