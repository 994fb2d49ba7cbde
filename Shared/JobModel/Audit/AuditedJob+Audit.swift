extension AuditedJob {
    /// Holds the job against every rule.
    ///
    /// Of a row that only a hub has written, which may be older than this system, only a completed job's bytes
    /// are judged. A child row is not judged at all.
    public func audit() -> JobAudit {
        var auditor = JobAuditor(self)
        guard !isChildRow else { return auditor.found }
        auditor.judgeBytes()
        guard isOurs else { return auditor.found }
        auditor.judgeTotal()
        auditor.judgeDisks()
        auditor.judgeDiskPercents()
        auditor.judgePercent()
        auditor.judgeWords()
        auditor.judgeRates()
        auditor.judgeEnd()
        auditor.judgePresumed()
        auditor.judgeRecord()
        return auditor.found
    }
}

/// Collects the breaches of one job, and mends a copy of it on the way.
private struct JobAuditor {
    private let stored: AuditedJob
    private(set) var found: JobAudit

    init(_ stored: AuditedJob) {
        self.stored = stored
        found = JobAudit(mended: stored)
    }

    private var job: Job { stored.job }
    private var hasEnded: Bool { job.status == .completed || hasEndedBadly }
    private var hasEndedBadly: Bool { job.status == .failed || job.status == .cancelled }

    /// An event says that the job has come to its status, in its attempt.
    private var isOnRecord: Bool {
        stored.newestChange?.to == job.status.rawValue && stored.newestChange?.attempt == job.attempt
    }

    /// Why what follows from the status is not mended. nil: nothing speaks against the status.
    private var doubt: String? {
        stored.newestChange == nil || isOnRecord
            ? nil : "its status is not the one that its newest event tells"
    }

    private mutating func add(
        _ rule: AuditRule,
        _ stored: String,
        _ expected: String,
        _ obstacle: String?,
        _ mend: (inout AuditedJob) -> Void = { _ in }
    ) {
        found.breaches.append(Breach(rule, stored: stored, expected: expected, obstacle: obstacle))
        if obstacle == nil { mend(&found.mended) }
    }

    mutating func judgeBytes() {
        guard !job.disks.isEmpty, stored.isOurs || job.status == .completed else { return }
        let sum = job.disks.reduce(0) { addingSaturated($0, $1.bytes) }
        guard job.bytes != sum else { return }
        let obstacle =
            sum > job.bytes ? nil : "its disks tell of fewer bytes, and known bytes are never taken away"
        add(.bytes, "\(job.bytes)", "\(sum)", obstacle) { $0.job.bytes = sum }
    }

    mutating func judgeTotal() {
        guard !job.disks.isEmpty else { return }
        let sum = job.disks.reduce(0) { addingSaturated($0, $1.total ?? 0) }
        guard job.total != sum else { return }
        add(.total, "\(job.total)", "\(sum)", nil) { $0.job.total = sum }
    }

    mutating func judgeDisks() {
        for disk in job.disks where disk.bytes < 0 || (disk.total ?? 0) < 0 {
            let stored = "disk \(disk.index) with \(disk.bytes) of \(disk.total ?? 0) bytes"
            add(.diskNumbers, stored, "0 or more", "nobody can tell what they were")
        }
        let open = job.disks.filter { $0.status != .completed && !(hasEndedBadly && $0.status == .failed) }
        guard hasEnded, !open.isEmpty else { return }
        let stored = open.map { "disk \($0.index) \($0.status.rawValue)" }.joined(separator: ", ")
        if job.status == .completed {
            let obstacle = "the rows do not tell whether these disks were copied to their end"
            add(.completedDisks, stored, "every disk completed", obstacle)
        } else {
            add(.openDisks, stored, "failed", doubt) { mended in
                for index in mended.job.disks.indices where mended.job.disks[index].status != .completed {
                    mended.job.disks[index].status = .failed
                    mended.job.disks[index].errorMessage = mended.job.errorMessage
                }
            }
        }
    }

    /// A disk whose total is only known in whole GiB may have numbers of the hub's own making.
    mutating func judgeDiskPercents() {
        for (index, disk) in job.disks.enumerated() where stored.exactDisks.contains(disk.index) {
            var right = disk
            right.updatePercent()
            guard right.percentHundredths != disk.percentHundredths else { continue }
            let told = "disk \(disk.index) \(Self.percent(disk.percentHundredths))"
            add(.diskPercent, told, Self.percent(right.percentHundredths), nil) {
                $0.job.disks[index].percentHundredths = right.percentHundredths
            }
        }
    }

    /// Bytes that are in doubt say nothing about the percentage.
    mutating func judgePercent() {
        guard !found.breaches.contains(where: { $0.rule == .bytes && !$0.isMendable }) else { return }
        var right = found.mended.job
        right.aggregate(toldPercent: right.percentHundredths)
        guard right.percentHundredths != job.percentHundredths else { return }
        let obstacle = job.status == .completed ? doubt : nil
        add(.percent, Self.percent(job.percentHundredths), Self.percent(right.percentHundredths), obstacle) {
            $0.job.percentHundredths = right.percentHundredths
        }
    }

    mutating func judgeWords() {
        let text = job.errorMessage.flatMap { $0.isEmpty ? nil : $0 }
        switch job.status {
        case .completed:
            if job.phase != "completed" {
                add(.phase, job.phase, "completed", doubt) { $0.job.phase = "completed" }
            }
            guard let text else { return }
            // Only an event can tell that the text is old, and not the status wrong.
            let obstacle = isOnRecord ? nil : "no event tells that it has completed"
            add(.errorText, text, "none", obstacle) { $0.job.errorMessage = nil }
        case .failed, .stalled:
            guard text == nil else { return }
            // A failing job gives its text to each disk that fails with it.
            let texts = Set(job.disks.filter { $0.status == .failed }.compactMap(\.errorMessage))
            guard job.status == .failed, texts.count == 1, let told = texts.first, !told.isEmpty else {
                return add(.errorText, "none", "the reason", "no disk tells the reason either")
            }
            add(.errorText, "none", told, nil) { $0.job.errorMessage = told }
        case .pending, .running, .cancelled:
            return
        }
    }

    mutating func judgeRates() {
        guard hasEnded, job.speed != 0 || job.etaSeconds != 0 else { return }
        let stored =
            "speed \(job.speed.map { "\($0)" } ?? "NULL") and ETA \(job.etaSeconds.map { "\($0)" } ?? "NULL")"
        add(.rates, stored, "speed 0 and ETA 0", doubt) {
            $0.job.speed = 0
            $0.job.etaSeconds = 0
        }
    }

    mutating func judgeEnd() {
        guard hasEnded != stored.hasEnd else { return }
        let obstacle = isOnRecord ? nil : "no event tells that it is \(job.status.rawValue)"
        guard hasEnded else {
            return add(.completedAt, "a time", "none, since it is \(job.status.rawValue)", obstacle) {
                $0.hasEnd = false
            }
        }
        let at = stored.newestChange?.atMilliseconds
        add(.completedAt, "NULL", "the time of its newest event", obstacle) {
            $0.hasEnd = true
            $0.newEndMilliseconds = at
        }
    }

    mutating func judgePresumed() {
        guard let change = stored.newestChange, isOnRecord, job.status == .failed,
            let cause = StatusChange.Cause(rawValue: change.cause)
        else {
            guard job.isPresumed, job.status != .failed else { return }
            let obstacle = isOnRecord ? nil : "no event tells that it is \(job.status.rawValue)"
            return add(.presumed, "1", "0, since it is \(job.status.rawValue)", obstacle) {
                $0.job.isPresumed = false
            }
        }
        let isPresumption = cause == .silentFailed
        guard job.isPresumed != isPresumption else { return }
        add(.presumed, job.isPresumed ? "1" : "0", "\(isPresumption ? 1 : 0), by its newest event", nil) {
            $0.job.isPresumed = isPresumption
        }
    }

    /// The attempt, the events and the history against the row.
    mutating func judgeRecord() {
        if job.attempt < 1 {
            add(.attempt, "\(job.attempt)", "1 or more", "nobody can tell which attempt it was")
        }
        if let change = stored.newestChange, !isOnRecord {
            let stored = "\(job.status.rawValue), attempt \(job.attempt)"
            let expected = "\(change.to), attempt \(change.attempt), by its newest event"
            add(
                .events,
                stored,
                expected,
                "another program has changed the row; which is right, nobody can tell"
            )
        }
        guard let point = stored.newestPoint else { return }
        if point.attempt > job.attempt {
            let expected = "no attempt beyond \(job.attempt)"
            add(.history, "a point of attempt \(point.attempt)", expected, "nobody can tell which is right")
        }
        // These two ends always leave a point of their own.
        guard job.status == .completed || job.status == .cancelled, point.attempt == job.attempt else {
            return
        }
        if point.bytes > found.mended.job.bytes {
            let stored = "a last point of \(point.bytes) bytes"
            let expected = "at most the job's \(found.mended.job.bytes)"
            add(.history, stored, expected, "nobody can tell which is right")
        }
    }

    private static func percent(_ hundredths: Int32) -> String {
        let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
        return "\(hundredths < 0 ? "-" : "")\(whole).\(rest < 10 ? "0" : "")\(rest) %"
    }
}
