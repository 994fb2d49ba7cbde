import Database
import DatabaseKit
import JobModel
import Logging
import ServiceKit
import TestSupport
import Testing
import Threading

@testable import Writer

/// A migrated database with a committer, for audits of what it has stored.
struct AuditBench {
    /// The databases that an audit may meet.
    enum Hub: CaseIterable {
        /// The tables that we create.
        case ours
        /// A hub's tables, adopted.
        case adopted
    }

    static let rule = StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300)

    let hub: Hub
    let settings: DatabaseSettings
    let connection: Connection
    let committer: Committer

    /// Runs the body with a bench of its own.
    static func run(_ hub: Hub, _ body: @escaping @Sendable (AuditBench) throws -> Void) throws {
        let settings = try PrivateMariaDB.shared(timeZone: "-03:00").createDatabase()
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                let connection = try Connection.open(settings)
                if hub == .adopted { try FieldSchema.install(on: connection, withTelemetry: false) }
                try Migrator(settings, owner: "test").run()
                let committer = committer(settings)
                try body(
                    AuditBench(hub: hub, settings: settings, connection: connection, committer: committer)
                )
            }
        }.value()
    }

    static func committer(_ settings: DatabaseSettings) -> Committer {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let session = Session(settings, part: "test", health: Health(waitingFor: []), logger: logger)
        return Committer(session, logger: logger)
    }

    /// Stores messages, one transaction each.
    func send(_ messages: [JobMessage]) {
        for message in messages { _ = committer.commit([Self.item(message)]) }
    }

    static func item(_ message: JobMessage) -> LaneItem {
        LaneItem(
            sender: [1],
            messageID: 1,
            message: message,
            receivedMilliseconds: MonotonicClock.nowMilliseconds
        )
    }

    static func id(_ text: String) throws -> JobID { try #require(JobID(text)) }

    static func registration(_ id: String, attempt: Int64? = nil, telemetry: Bool = true) throws -> JobMessage
    {
        .registration(
            Registration(
                jobID: try Self.id(id),
                vmName: "pgtest1",
                backupType: .full,
                repositoryID: "repo-1",
                disks: [RegisteredDisk(index: 0, total: 3000), RegisteredDisk(index: 1, total: 1000)],
                announcesTelemetry: telemetry,
                attempt: attempt,
                columns: [
                    "vm_context_id": .text("ctx-pgtest1"), "repository_path": .text("/multi-disk-parent"),
                    "vm_backup_context_id": .text("ctx-backup-pgtest1-1759900000"),
                ]
            )
        )
    }

    static func report(
        _ id: String,
        seq: Int64,
        bytes: [Int64],
        status: ReportedStatus = .running,
        error: String? = nil
    ) throws -> JobMessage {
        .report(
            Report(
                jobID: try Self.id(id),
                status: status,
                phase: "transferring",
                bytes: bytes.reduce(0, +),
                total: 4000,
                speed: 100,
                etaSeconds: 10,
                disks: bytes.enumerated().map {
                    DiskReport(
                        index: Int32($0),
                        bytes: $1,
                        total: $0 == 0 ? 3000 : 1000,
                        status: .transferring
                    )
                },
                error: error,
                attempt: 1,
                seq: seq
            )
        )
    }

    static func completion(_ id: String, disk: Int32) throws -> JobMessage {
        .completion(DiskCompletion(jobID: try Self.id(id), diskIndex: disk, changeID: "52 66/1", bytes: 0))
    }

    /// One job of each kind: `done`, `failed`, `cancelled`, `running`, `stalled`, `presumed` and `quiet`.
    func sendOneOfEachKind() throws {
        for id in ["done", "failed", "cancelled", "running", "stalled", "presumed"] {
            send([try Self.registration(id), try Self.report(id, seq: 1, bytes: [3000, 200])])
        }
        send([try Self.registration("quiet", telemetry: false)])
        send([
            try Self.report("done", seq: 2, bytes: [3000, 1000]), try Self.completion("done", disk: 0),
            try Self.completion("done", disk: 1), try Self.completion("failed", disk: 0),
            try Self.report("failed", seq: 2, bytes: [3000, 300], status: .failed, error: "disk 1 is gone"),
            .cancel(CancelRequest(jobID: try Self.id("cancelled"), reason: "not now")),
        ])
        try silence("stalled", seconds: 100)
        try silence("presumed", seconds: 400)
        let rule = try #require(Self.rule)
        let store = SilenceStore(connection)
        for job in try store.silentJobs(status: .running, forSeconds: 60) {
            let silence = job.readMilliseconds - job.contactMilliseconds
            let mark = try #require(rule.mark(status: job.status, silenceMilliseconds: silence))
            let evidence = SilenceEvidence(silenceMilliseconds: silence, pathUpSinceMilliseconds: 0)
            #expect(try store.mark(job, as: mark, evidence, by: rule))
        }
    }

    func silence(_ id: String, seconds: Int64) throws {
        try connection.execute(
            """
            UPDATE backup_jobs SET last_telemetry_at = NOW() - INTERVAL \(seconds) SECOND, \
            last_contact_ms = \(ServerClock.milliseconds) - \(seconds * 1000) WHERE id = '\(id)'
            """
        )
    }

    /// What an audit prints, line by line, and what it counts.
    func audit(isRepair: Bool = false, isJSON: Bool = false) throws -> (lines: [String], sum: AuditReport.Sum)
    {
        let rule = try #require(Self.rule)
        var lines: [String] = []
        let options = AuditOptions(isRepair: isRepair, isJSON: isJSON, rule: rule)
        var audit = Audit(connection, options) { lines.append($0) }
        try audit.run()
        return (lines, audit.report.sum)
    }

    func int(_ sql: String) throws -> Int64 { try #require(try connection.query(sql).first).int(0) }

    func text(_ sql: String) throws -> String { try #require(try connection.query(sql).first).text(0) }
}
