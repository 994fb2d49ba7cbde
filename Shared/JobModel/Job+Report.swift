extension Job {
    /// Where a report stands among those that are stored.
    private enum Place {
        case newer, same, older
    }

    /// Merges one telemetry message.
    mutating func merge(_ report: borrowing Report) -> Effect {
        if status == .cancelled {
            return Effect(report.status == .cancelled ? answer(.repeated) : endedAnswer())
        }
        if report.seq != nil || report.attempt != nil {
            if let refused = fence(attempt: report.attempt ?? 1) { return refused }
        }
        let place = place(of: report)
        if place == .same { return Effect(answer(.repeated)) }
        if isFinal {
            // An old client says completed for each disk; after the last one that is no news.
            let isLateWord = report.seq == nil && status == .completed && report.saysCompletedOnly
            return Effect(isLateWord ? answer(.repeated) : endedAnswer())
        }
        if isLateWordOfAnEndedDisk(report) { return Effect(answer(.repeated)) }
        // An old client never repeats itself and its clock may step: its failure counts at any key.
        if place == .older, !(report.seq == nil && report.saysFailed) { return mergeOlder(report) }
        return mergeNewer(report, isOlder: place == .older)
    }

    private func place(of report: Report) -> Place {
        if let told = report.seq {
            return told > seq ? .newer : told == seq ? .same : .older
        }
        guard let told = ClockKey(report), let stored = clockKey else { return .newer }
        guard told == stored else { return told > stored ? .newer : .older }
        guard told.rank == ClockKey.progressRank else { return .same }
        return placeOfEqualProgress(report)
    }

    /// Two progress messages of one second: the one with more bytes wins whole, then phase, then speed.
    private func placeOfEqualProgress(_ report: Report) -> Place {
        let stored =
            disks.isEmpty || !report.disks.isEmpty ? bytes : currentDisk.map { disks[$0].bytes } ?? bytes
        let told =
            report.disks.isEmpty
            ? report.bytes
            : report.disks.reduce(0) { addingSaturated($0, $1.bytes) }
        if told != stored { return told > stored ? .newer : .older }
        let phases = (Self.phaseRank(report.phase), Self.phaseRank(phase))
        if phases.0 != phases.1 { return phases.0 > phases.1 ? .newer : .older }
        let speeds = (report.speed ?? 0, speed ?? 0)
        if speeds.0 != speeds.1 { return speeds.0 > speeds.1 ? .newer : .older }
        return .same
    }

    private static func phaseRank(_ phase: String) -> Int {
        ["snapshot", "transferring", "finalizing", "completed"].firstIndex(of: phase) ?? -1
    }

    /// The disk that an old client's numbers without disk entries belong to: the lowest that is not completed.
    private var currentDisk: Int? { disks.firstIndex { $0.status != .completed } }

    /// An old client's `completed` belongs to a disk only if it has told of that disk since the last one ended.
    private func isLateWordOfAnEndedDisk(_ report: Report) -> Bool {
        guard report.seq == nil, report.saysCompletedOnly, report.disks.isEmpty, let currentDisk else {
            return false
        }
        return disks[currentDisk].status == .pending
    }

    /// Nothing of an older message counts but the sign of life.
    private mutating func mergeOlder(_ report: Report) -> Effect {
        // Resuming needs news; an old client's clock may have stepped back, so any message of its is.
        let changes = report.seq == nil ? activate(evidence: "older message; \(report.evidence)") : []
        hasTelemetry = true
        return Effect(answer(.superseded), isContact: true, changes: changes)
    }

    private mutating func mergeNewer(_ report: borrowing Report, isOlder: Bool) -> Effect {
        var changes: [StatusChange] = []
        var ignored = 0
        hasTelemetry = true
        let endsBadly = report.saysFailed || report.status == .cancelled
        if !endsBadly { changes = activate(evidence: report.evidence) }
        if !isOlder {
            takeKey(report)
            takeJobNumbers(report)
            ignored = takeDisks(report, &changes)
        }
        if report.saysFailed {
            let message = report.error ?? "The backup client reported a failure without a message."
            changes.append(end(as: .failed, .reportedFailed, message: message, evidence: report.evidence))
        } else if report.status == .cancelled {
            changes.append(
                end(
                    as: .cancelled,
                    .reportedCancelled,
                    message: "The backup was cancelled.",
                    evidence: report.evidence
                )
            )
        } else if report.status == .completed, disks.isEmpty || everyDiskIsCompleted {
            changes.append(finish(.reportedCompleted, evidence: report.evidence))
        }
        aggregate(toldPercent: report.percentHundredths)
        return Effect(answer(.applied), isContact: true, changes: changes, ignoredDiskCount: ignored)
    }

    private mutating func takeKey(_ report: borrowing Report) {
        if let told = report.seq {
            seq = told
        } else if let key = ClockKey(report) {
            clockKey = key
        }
    }

    private mutating func takeJobNumbers(_ report: borrowing Report) {
        // A job is completed when all its disks are; until then "completed" is a disk's phase, not the job's.
        let isPhaseOfJob = report.status != .completed || report.phase != "completed"
        if !report.phase.isEmpty, isPhaseOfJob { phase = report.phase }
        if report.seq != nil {
            speed = report.speed
            etaSeconds = report.etaSeconds
        } else {
            if let told = report.speed, told > 0 { speed = told }
            if let told = report.etaSeconds, told > 0 { etaSeconds = told }
        }
        if disks.isEmpty {
            let isReestimated = (report.total ?? 0) > 0 && total > 0 && report.total != total
            if let told = report.total, told > 0 { total = told }
            let isNews = report.seq != nil || report.bytes > 0
            if isNews { bytes = isReestimated ? report.bytes : max(bytes, report.bytes) }
        }
    }

    /// - Returns: how many of the entries name no disk of the job.
    private mutating func takeDisks(_ report: borrowing Report, _ changes: inout [StatusChange]) -> Int {
        guard !report.disks.isEmpty else {
            takeCurrentDisk(report, &changes)
            return 0
        }
        var ignored = 0
        for entry in report.disks {
            guard let index = disks.firstIndex(where: { $0.index == entry.index }) else {
                ignored += 1
                continue
            }
            take(entry, at: index, report, &changes)
        }
        return ignored
    }

    /// Numbers without disk entries: an old client's belong to its current disk; a client with `seq` may leave
    /// the entry out where there is one disk only, since with more nobody can tell whose they are.
    private mutating func takeCurrentDisk(_ report: Report, _ changes: inout [StatusChange]) {
        let place = report.seq == nil ? currentDisk : disks.count == 1 ? 0 : nil
        guard let place else { return }
        let status: DiskStatus =
            switch report.status {
            case .completed: .completed
            // Without any number it tells of no disk: the next one is not begun by it.
            case .pending, .running:
                report.seq == nil && report.bytes == 0 && (report.total ?? 0) == 0
                    ? disks[place].status : .transferring
            case .failed, .cancelled: disks[place].status
            }
        let entry = DiskReport(
            index: disks[place].index,
            bytes: report.bytes,
            total: report.total,
            status: report.saysFailed && status == .completed ? disks[place].status : status
        )
        take(entry, at: place, report, &changes)
    }

    private mutating func take(
        _ entry: DiskReport,
        at index: Int,
        _ report: Report,
        _ changes: inout [StatusChange]
    ) {
        let saysWhatItMeans = report.seq != nil
        let total = saysWhatItMeans || (entry.total ?? 0) > 0 ? entry.total : nil
        disks[index].take(bytes: entry.bytes, total: total)
        if disks[index].status != .completed {
            switch entry.status {
            case .completed:
                changes += completeDisk(
                    at: index,
                    bytesAreTold: saysWhatItMeans,
                    evidence: report.evidence
                )
            case .pending where !saysWhatItMeans && disks[index].status == .transferring:
                break
            case .pending, .transferring, .failed:
                disks[index].status = entry.status
            }
        }
        disks[index].updatePercent()
    }
}

extension Report {
    /// The job failed: an error was told, whatever the status says.
    var saysFailed: Bool { error != nil || status == .failed }

    /// The message says completed and no error.
    var saysCompletedOnly: Bool { status == .completed && error == nil }

    /// What an event says of the message that caused it.
    var evidence: String {
        let place =
            if let seq {
                "attempt=\(attempt ?? 1) seq=\(seq)"
            } else if let timestampMilliseconds {
                "timestamp_ms=\(timestampMilliseconds)"
            } else {
                "no timestamp"
            }
        return "telemetry status=\(status.rawValue) phase=\(phase) \(place)"
    }
}
