/// How a run ended, for the summary.
struct RunResult: Sendable {
    var jobID: String
    /// nil where nothing was reported.
    var reports: ReportSummary?
    var progress: JobProgress
    /// From the beginning to the copy's end.
    var milliseconds: Int64
    /// Of these, without opening the disks and waiting for the hub's first word.
    var copyMilliseconds: Int64
    /// nil if the copy is good.
    var reason: StopReason?

    /// The word for it.
    var outcome: String {
        switch reason {
        case nil: "completed"
        case .failed, .refusedByHub: "failed"
        case .signal, .cancelledByHub: "cancelled"
        }
    }

    /// Why it ended so. nil if the copy is good.
    var explanation: String? {
        switch reason {
        case nil: nil
        case .failed(let error): error.description
        case .refusedByHub(let reason): "refused by the hub: \(reason)"
        case .signal(let number): "stopped by signal \(number)"
        case .cancelledByHub: "the job was cancelled on the hub"
        }
    }

    /// Bytes of holes that were not read.
    var holeBytes: Int64 { max(0, progress.dealt - progress.moved) }

    /// Bytes really moved per second of copying.
    var meanRate: Int64 { progress.moved * 1000 / max(1, copyMilliseconds) }

    /// The lines for people.
    var text: String {
        var lines = ["Backup \(outcome): \(jobID)"]
        lines.append("  data copied    \(Units.size(progress.moved))")
        lines.append("  holes skipped  \(Units.size(holeBytes))")
        lines.append("  duration       \(Units.oneDecimal(Double(milliseconds) / 1000)) s")
        lines.append("  mean rate      \(Units.size(meanRate))/s")
        if let reports {
            let failed = reports.droppedCount + reports.undeliveredCount
            lines.append("  hub updates    \(reports.sentCount) sent, \(failed) failed")
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
        ]
        if let explanation { members.append(("error", .string(explanation))) }
        if let reports {
            members.append(("attempt", .integer(reports.attempt)))
            members.append(("updates_sent", .integer(Int64(reports.sentCount))))
            members.append(("updates_dropped", .integer(Int64(reports.droppedCount))))
            members.append(("updates_undelivered", .integer(Int64(reports.undeliveredCount))))
        }
        return members
    }
}
