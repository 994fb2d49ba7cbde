internal import FoundationEssentials

/// A spooled report as its file has it: JSON, version 1.
struct SpoolFile: Codable {
    static let version = 1

    struct Column: Codable {
        var name: String
        var value: String
    }

    struct Disk: Codable {
        var state: String
        var dealt: Int64
        var moved: Int64
        var total: Int64?
        var data: Int64?
    }

    /// One message; which members it has depends on its kind.
    struct Message: Codable {
        enum Kind: String, Codable {
            case registration, telemetry, completion
        }
        var kind: Kind
        var seq: Int64?
        var status: String?
        var phase: String?
        var disks: [Disk]?
        var speed: Int64?
        var eta: Int64?
        var error: String?
        var at: Int64?
        var disk: Int?
        var changeID: String?
        var bytes: Int64?
        /// Why the hub refused it; only in a file that was set aside.
        var refusal: String?
    }

    var version: Int
    var jobID: String
    var vmName: String
    var backupType: String
    var repositoryID: String?
    var hubColumns: [Column]
    var totals: [Int64?]
    var attempt: Int64
    var seqSentMax: Int64
    var startedAt: Int64
    var endedAt: Int64?
    var messages: [Message]

    enum CodingKeys: String, CodingKey {
        case version, totals, attempt, messages
        case jobID = "job_id"
        case vmName = "vm_name"
        case backupType = "backup_type"
        case repositoryID = "repository_id"
        case hubColumns = "hub_columns"
        case seqSentMax = "seq_sent_max"
        case startedAt = "started_at_ms"
        case endedAt = "ended_at_ms"
    }

    /// When the run began, in milliseconds since 1970 UTC. The file has 0 where nobody knows.
    var startedAtMilliseconds: Int64? { startedAt > 0 ? startedAt : nil }

    init(_ report: SpooledReport) {
        version = Self.version
        jobID = report.identity.jobID
        vmName = report.identity.vmName
        backupType = report.identity.backupType
        repositoryID = report.identity.repositoryID
        hubColumns = report.identity.hubColumns.map { Column(name: $0.name, value: $0.value) }
        totals = report.totals
        attempt = report.attempt
        seqSentMax = report.seqSentMax
        startedAt = report.startedAtMilliseconds ?? 0
        endedAt = report.endedAtMilliseconds
        messages =
            report.refusals.map { Message($0.message, refusal: $0.reason) }
            + report.messages.map { Message($0, refusal: nil) }
    }

    /// The most disks and bytes of each that can be meant: their sum is no overflow.
    private static let diskCountMax = 4096
    private static let byteCountMax: Int64 = 1 << 50
    /// The end of the year 9999, in milliseconds since 1970 UTC.
    static let timeMax: Int64 = 253_402_300_799_999

    /// Whether these can be what a job's disks hold; what is unknown can.
    static func isSize(_ bytes: [Int64?]) -> Bool {
        bytes.count <= diskCountMax && bytes.allSatisfy { (0...byteCountMax).contains($0 ?? 0) }
    }

    static func isSize(_ disks: [Disk]) -> Bool {
        isSize(disks.map(\.dealt)) && isSize(disks.map(\.moved)) && isSize(disks.map(\.total))
            && isSize(disks.map(\.data))
    }

    /// The file's text. nil would be an error of ours: nothing in it is beyond JSON.
    var bytes: [UInt8]? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { Array($0) + [UInt8(ascii: "\n")] }
    }
}

extension SpoolFile.Message {
    init(_ outgoing: Outgoing, refusal: String?) {
        switch outgoing.content {
        case .registration:
            self.init(kind: .registration, at: outgoing.atMilliseconds)
        case .completion(let diskIndex, let changeID, let bytes):
            self.init(
                kind: .completion,
                at: outgoing.atMilliseconds,
                disk: diskIndex,
                changeID: changeID,
                bytes: bytes
            )
        case .telemetry(let update):
            self.init(
                kind: .telemetry,
                seq: update.seq,
                status: update.status.rawValue,
                phase: update.progress.phase.name,
                disks: update.progress.disks.map { disk in
                    SpoolFile.Disk(
                        state: disk.state.name,
                        dealt: disk.dealt,
                        moved: disk.moved,
                        total: disk.total,
                        data: disk.data
                    )
                },
                speed: update.speed,
                eta: update.etaSeconds,
                error: update.error,
                at: update.atMilliseconds
            )
        }
        self.refusal = refusal
    }
}

extension SpooledReport {
    /// Reads a file's text. nil if it is none of ours, or of a version that is not known here. What the hub had
    /// refused is due again: whoever moved such a file back wants it so.
    init?(_ bytes: Data) {
        guard let file = try? JSONDecoder().decode(SpoolFile.self, from: bytes),
            file.version == SpoolFile.version, file.attempt > 0, !file.jobID.isEmpty,
            SpoolFile.isSize(file.totals)
        else { return nil }
        var messages: [Outgoing] = []
        for message in file.messages {
            guard let outgoing = Outgoing(message, in: file) else { return nil }
            messages.append(outgoing)
        }
        let columns = file.hubColumns.compactMap { HubColumn("\($0.name)=\($0.value)") }
        guard columns.count == file.hubColumns.count else { return nil }
        self.init(
            identity: JobIdentity(
                jobID: file.jobID,
                vmName: file.vmName,
                backupType: file.backupType,
                repositoryID: file.repositoryID,
                hubColumns: columns
            ),
            totals: file.totals,
            attempt: file.attempt,
            seqSentMax: file.seqSentMax,
            startedAtMilliseconds: file.startedAtMilliseconds,
            endedAtMilliseconds: file.endedAt,
            messages: messages
        )
    }
}

extension Outgoing {
    fileprivate init?(_ message: SpoolFile.Message, in file: SpoolFile) {
        switch message.kind {
        case .registration:
            self.init(content: .registration, atMilliseconds: message.at ?? file.startedAtMilliseconds)
        case .completion:
            guard let disk = message.disk, let changeID = message.changeID, let bytes = message.bytes else {
                return nil
            }
            self.init(
                content: .completion(diskIndex: disk, changeID: changeID, bytes: bytes),
                atMilliseconds: message.at ?? file.endedAt
            )
        case .telemetry:
            guard let update = TelemetryUpdate(message) else { return nil }
            self.init(content: .telemetry(update))
        }
    }
}

extension TelemetryUpdate {
    fileprivate init?(_ message: SpoolFile.Message) {
        guard let seq = message.seq, let at = message.at,
            let status = message.status.flatMap(ReportedStatus.init(rawValue:)),
            let phase = Phase.allCases.first(where: { $0.name == message.phase }),
            (0...SpoolFile.timeMax).contains(at), SpoolFile.isSize(message.disks ?? [])
        else { return nil }
        var disks: [DiskProgress] = []
        for disk in message.disks ?? [] {
            let states = (0...3).compactMap(DiskState.init(rawValue:))
            guard let state = states.first(where: { $0.name == disk.state }) else { return nil }
            disks.append(
                DiskProgress(
                    state: state,
                    dealt: disk.dealt,
                    moved: disk.moved,
                    total: disk.total,
                    data: disk.data
                )
            )
        }
        self.init(
            seq: seq,
            status: status,
            progress: JobProgress(phase: phase, disks: disks),
            speed: message.speed,
            etaSeconds: message.eta,
            error: message.error,
            atMilliseconds: at
        )
    }
}
