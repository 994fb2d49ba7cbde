internal import Logs

/// What is the same in every message of a run.
struct JobIdentity: Equatable, Sendable {
    var jobID: String
    var vmName: String
    var backupType: String
    var repositoryID: String?
    /// What the hub's own tables demand of a new backup.
    var hubColumns: [HubColumn] = []
}

/// What the client says of the job.
enum ReportedStatus: String, Sendable {
    case running, completed, failed, cancelled
}

/// One telemetry message but for its attempt, which is known when it is sent.
struct TelemetryUpdate: Equatable, Sendable {
    /// Grows with each message of a run.
    var seq: Int64
    var status: ReportedStatus
    var progress: JobProgress
    /// Bytes per second. nil while unknown.
    var speed: Int64?
    /// Seconds to go. nil while unknown.
    var etaSeconds: Int64?
    /// The error that ended the job.
    var error: String?
    /// When it was so, in milliseconds since 1970 UTC.
    var atMilliseconds: Int64
}

/// A message to the hub.
struct Outgoing: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        case registration
        case telemetry(TelemetryUpdate)
        case completion(diskIndex: Int, changeID: String, bytes: Int64)
    }

    var content: Content
    /// When a registration's backup began or a completion's disk ended, in milliseconds since 1970 UTC; telemetry has its
    /// own time. nil: it is the present.
    var atMilliseconds: Int64?
    /// Only the newest of these is kept.
    var isProgress = false
    /// It is worth a try at once, whatever failed before it: a phase began, or the job ended.
    var isUrgent = false
    /// The job was registered again on its behalf.
    var hasRegisteredAgain = false

    /// When it was so, in milliseconds since 1970 UTC. nil: it is the present.
    var happenedMilliseconds: Int64? {
        if case .telemetry(let update) = content { update.atMilliseconds } else { atMilliseconds }
    }

    /// It says that the whole job is completed.
    var saysJobCompleted: Bool {
        if case .telemetry(let update) = content { update.status == .completed } else { false }
    }
}

/// Builds the bodies and paths of the messages.
struct MessageWriter: Sendable {
    var identity: JobIdentity
    /// The disks' sizes, in bytes. nil where unknown.
    var totals: [Int64?]

    /// The path behind the hub's URL.
    func path(of content: Outgoing.Content) -> String {
        let id = Self.percentEncoded(identity.jobID)
        return switch content {
        case .registration: "/api/v1/backups"
        case .telemetry: "/api/v1/telemetry/backup/\(id)"
        case .completion: "/api/v1/backups/\(id)/complete"
        }
    }

    /// Younger messages are not worth a member more.
    private static let ageMinMilliseconds: Int64 = 1000

    /// The body.
    ///
    /// - Parameters:
    ///   - outgoing: the message.
    ///   - attempt: which run of the job it is.
    ///   - nowMilliseconds: when it is sent, in milliseconds since 1970 UTC: the hub is told how long ago it was.
    /// - Returns: one JSON object.
    func body(of outgoing: Outgoing, attempt: Int64, nowMilliseconds: Int64) -> JSON {
        var members: [(String, JSON)] =
            switch outgoing.content {
            case .registration: registration(attempt: attempt)
            case .telemetry(let update): telemetry(update, attempt: attempt)
            case .completion(let diskIndex, let changeID, let bytes):
                [
                    ("change_id", .string(changeID)),
                    ("disk_id", .integer(Int64(diskIndex))),
                    ("bytes_transferred", .integer(bytes)),
                    ("attempt", .integer(attempt)),
                ]
            }
        if let at = outgoing.happenedMilliseconds, nowMilliseconds - at >= Self.ageMinMilliseconds {
            members.append(("age_ms", .integer(nowMilliseconds - at)))
        }
        return .object(members)
    }

    private func registration(attempt: Int64) -> [(String, JSON)] {
        var members: [(String, JSON)] = [
            ("job_id", .string(identity.jobID)),
            ("vm_name", .string(identity.vmName)),
            ("backup_type", .string(identity.backupType)),
        ]
        if let repositoryID = identity.repositoryID {
            members.append(("repository_id", .string(repositoryID)))
        }
        let disks = totals.enumerated().map { index, total in
            JSON.object([("disk_index", .integer(Int64(index))), ("total_bytes", JSON(total))])
        }
        members.append(("disks", .array(disks)))
        members.append(("telemetry", .bool(true)))
        members.append(("attempt", .integer(attempt)))
        members += identity.hubColumns.map { ($0.name, .string($0.value)) }
        return members
    }

    private func telemetry(_ update: TelemetryUpdate, attempt: Int64) -> [(String, JSON)] {
        let time = UTCTime.text(milliseconds: update.atMilliseconds)
        let progress = update.progress
        let disks = progress.disks.enumerated().map { index, disk in
            JSON.object([
                ("disk_index", .integer(Int64(index))),
                ("bytes_transferred", .integer(disk.dealt)),
                ("total_bytes", JSON(disk.total)),
                ("status", .string(disk.state.name)),
                ("progress_percent", .percent(disk.percent)),
            ])
        }
        var members: [(String, JSON)] = [
            ("job_id", .string(identity.jobID)),
            ("job_type", .string("backup")),
            ("status", .string(update.status.rawValue)),
            ("current_phase", .string(progress.phase.name)),
            ("bytes_transferred", .integer(progress.dealt)),
            ("total_bytes", .integer(progress.total)),
            ("transfer_speed_bps", JSON(update.speed)),
            ("eta_seconds", JSON(update.etaSeconds)),
            ("progress_percent", .percent(progress.percent)),
            ("disks", .array(disks)),
        ]
        if let error = update.error {
            members.append(
                ("error", .object([("message", .string(error)), ("timestamp", .string(time))]))
            )
        }
        members.append(("timestamp", .string(time)))
        members.append(("attempt", .integer(attempt)))
        members.append(("seq", .integer(update.seq)))
        return members
    }

    /// A path's segment: everything but RFC 3986's unreserved characters as `%XX`.
    static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            let isUnreserved =
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~")].contains(byte)
            if isUnreserved {
                bytes.append(byte)
            } else {
                bytes.append(UInt8(ascii: "%"))
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
