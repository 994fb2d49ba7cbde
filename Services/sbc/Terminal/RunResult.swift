/// How a run ended, for the summary.
struct RunResult: Sendable {
    var jobID: String
    /// nil where nothing was reported.
    var reports: ReportSummary?
    var progress: JobProgress
    /// Each disk's target, by index.
    var targets: [String] = []
    /// From the beginning to the copy's end.
    var milliseconds: Int64
    /// Of these, without opening the disks and waiting for the hub's first word.
    var copyMilliseconds: Int64
    /// The most bytes that a second moved. nil where it was over too soon to tell.
    var peakRate: Int64?
    /// nil if the copy is good.
    var reason: StopReason?
    /// Why the snapshot stayed behind. nil if it did not.
    var releaseFailure: String?

    /// The word for it.
    var outcome: String { reason?.outcome ?? (releaseFailure == nil ? "completed" : "failed") }

    /// Why it ended so. nil if the copy is good.
    var explanation: String? {
        switch reason {
        case nil: releaseFailure.map { Self.explanation(releaseFailure: $0) }
        case .failed(let error): error.description
        case .snapshotFailed(let reason): reason
        case .refusedByHub(let reason): "refused by the hub: \(reason)"
        case .signal(let number): "stopped by signal \(number)"
        case .cancelledByHub: "the job was cancelled on the hub"
        }
    }

    /// What is said of a good copy whose snapshot stayed behind.
    static func explanation(releaseFailure: String) -> String {
        "the copy is complete, but the snapshot was not released: \(releaseFailure)"
    }

    /// Bytes of holes that were not read.
    var holeBytes: Int64 { max(0, progress.dealt - progress.moved) }

    /// Bytes really moved per second of copying.
    var meanRate: Int64 { Int64(Double(progress.moved) * 1000 / Double(max(1, copyMilliseconds))) }

    /// The peak is measured from second to second, which may miss a burst at the beginning: never below the mean.
    private var shownPeakRate: Int64? { peakRate.map { max($0, meanRate) } }

    /// The targets that were changed and are no copies, with their disks' indices.
    private var incompleteTargets: [(index: Int, name: String)] {
        zip(progress.disks, targets).enumerated().compactMap { index, pair in
            pair.0.isIncomplete ? (index, pair.1) : nil
        }
    }

    /// The lines for people.
    var text: String {
        var lines = ["Backup \(outcome): \(Output.escaped(jobID))"]
        let disks = progress.disks.count { $0.state == .completed }
        lines.append("  disks          \(disks) of \(progress.disks.count) complete")
        for target in incompleteTargets {
            lines.append(
                "  incomplete     disk \(target.index): \(target.name) was written in part; do not use it"
            )
        }
        lines.append("  read, written  \(Units.size(progress.moved))")
        lines.append("  holes skipped  \(Units.size(holeBytes))")
        lines.append("  duration       \(Units.oneDecimal(Double(milliseconds) / 1000)) s")
        let peak = shownPeakRate.map { ", peak \(Units.size($0))/s" } ?? ""
        lines.append("  rate           mean \(Units.size(meanRate))/s\(peak)")
        if let reports {
            lines.append("  hub updates    \(reports.words)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The members of the last NDJSON event.
    var members: [(String, JSON)] {
        var members: [(String, JSON)] = [
            ("bytes_transferred", .integer(progress.dealt)),
            ("bytes_moved", .integer(progress.moved)),
            ("hole_bytes", .integer(holeBytes)),
            ("duration_ms", .integer(milliseconds)),
            ("copy_ms", .integer(copyMilliseconds)),
            ("mean_bps", .integer(meanRate)),
            ("peak_bps", JSON(shownPeakRate)),
        ]
        let incomplete = incompleteTargets.map { target in
            JSON.object([("disk_index", .integer(Int64(target.index))), ("target", .string(target.name))])
        }
        members.append(("incomplete_targets", .array(incomplete)))
        if let explanation { members.append(("error", .string(explanation))) }
        if let reports {
            members.append(("attempt", .integer(reports.attempt)))
            members.append(("updates_sent", .integer(Int64(reports.sentCount))))
            members.append(("updates_dropped", .integer(Int64(reports.droppedCount))))
            members.append(("updates_undelivered", .integer(Int64(reports.undeliveredCount))))
            members.append(("updates_spooled", .integer(Int64(reports.spooledCount))))
        }
        return members
    }

    /// What people have to be told on standard error besides the outcome.
    func notices(hub: String) -> [String] {
        var notices: [String] = []
        // With a good copy this is the error itself.
        if reason != nil, let releaseFailure {
            notices.append("warning: the snapshot was not released: \(releaseFailure)")
        }
        guard let reports else { return notices }
        if reports.spooledCount > 0 {
            notices.append(
                "notice: the hub at \(hub) does not have \(reports.spooledCount) report(s) of this backup yet"
                    + (reports.lastFailure.map { " (\($0))" } ?? "")
                    + "; the next backup delivers them, or: sendense-backup-client flush"
            )
        }
        if reports.refusedCount > 0 {
            let place = reports.refusedFolder.map { ", put into \($0)" } ?? ""
            notices.append(
                "warning: the hub at \(hub) refused \(reports.refusedCount) report(s) of this backup\(place); "
                    + "the log says why"
            )
        }
        let lost = reports.undeliveredCount - reports.spooledCount
        if lost > 0 {
            notices.append("warning: \(lost) report(s) were not delivered to \(hub) and could not be spooled")
        }
        if reports.backlog.deliveredCount > 0 {
            notices.append(
                "notice: \(reports.backlog.deliveredCount) report(s) of earlier backups were delivered"
            )
        }
        let refused = reports.backlog.refusedCount + reports.backlog.damagedCount
        if refused > 0 {
            notices.append(
                "warning: \(refused) report(s) of earlier backups were set aside; the log says why"
            )
        }
        return notices
    }
}

extension ReportSummary {
    /// Sent, failed, spooled: each message once.
    fileprivate var words: String {
        "\(sentCount) sent, \(droppedCount + undeliveredCount - spooledCount) failed, \(spooledCount) spooled"
    }
}

extension StopReason {
    /// What the backup is called that was stopped for it.
    var outcome: String {
        switch self {
        case .failed, .snapshotFailed, .refusedByHub: "failed"
        case .signal, .cancelledByHub: "cancelled"
        }
    }
}
