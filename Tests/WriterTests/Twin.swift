import Database
import DatabaseKit
import JobModel
import Logging
import ServiceKit
import Synchronization
import TestSupport
import Threading

@testable import Writer

/// One of two databases that have to stay alike.
final class Twin {
    let committer: Committer
    /// Another session, for interventions and for looking.
    let connection: Connection
    /// Where both sessions are, for a third one.
    let settings: DatabaseSettings
    let session: Session

    init(isAdopted: Bool, mayJoin: Bool, lines: LogLines = LogLines()) throws {
        let server = try PrivateMariaDB.shared(timeZone: "-03:00")
        var settings = try server.createDatabase()
        connection = try Connection.open(settings)
        if isAdopted { try FieldSchema.install(on: connection, withTelemetry: true) }
        try Migrator(settings, owner: "test").run()
        if !mayJoin {
            let user = settings.database + "_plain"
            try connection.execute("CREATE USER '\(user)'@'localhost'")
            try connection.execute(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON `\(settings.database)`.* TO '\(user)'@'localhost'"
            )
            settings.user = user
        }
        let logger = Logger(label: "test") { _ in LineHandler(lines: lines) }
        session = Session(settings, part: "test", health: Health(waitingFor: []), logger: logger)
        committer = Committer(session, logger: logger)
        self.settings = settings
    }

    /// Commits messages by a clock of the server's that stands still meanwhile.
    func commit(_ batch: [TwinScript.Message], atSecond second: Int64) throws -> [Answer] {
        try session.connection()?.execute("SET timestamp = \(second)")
        let now = MonotonicClock.nowMilliseconds
        return committer.commit(
            batch.map { message in
                LaneItem(
                    sender: [1],
                    messageID: 1,
                    message: message.message,
                    receivedMilliseconds: now - message.ageMilliseconds
                )
            }
        )
    }

    /// All rows but the ids that the server gives and the times that ages go into.
    func rows() throws -> [[Row]] {
        try [
            """
            SELECT id, vm_name, backup_type, status, current_phase, bytes_transferred, total_bytes,
              transfer_speed_bps, eta_seconds, progress_percent, error_message, presumed, attempt, telemetry_seq,
              telemetry_key_ms, telemetry_key_rank, started_at IS NULL, completed_at IS NULL, history_ms,
              last_telemetry_at IS NULL, last_contact_ms IS NULL FROM backup_jobs WHERE id LIKE 'job-%' ORDER BY id
            """,
            """
            SELECT backup_job_id, disk_index, status, bytes_transferred, total_bytes, size_gb, progress_percent,
              disk_change_id, error_message, completed_at IS NULL FROM backup_disks
            WHERE backup_job_id LIKE 'job-%' ORDER BY backup_job_id, disk_index
            """,
            """
            SELECT job_id, attempt, at_ms, from_status, to_status, cause, evidence FROM job_events
            ORDER BY job_id, id
            """,
            """
            SELECT job_id, attempt, at_ms, bytes_transferred, transfer_speed_bps FROM job_history
            ORDER BY job_id, attempt, at_ms
            """,
        ].map { try connection.query($0) }
    }

    /// The first rows that are not the same. nil: all are.
    static func difference(_ left: [[Row]], _ right: [[Row]]) -> String? {
        for (left, right) in zip(left, right) {
            for place in 0..<max(left.count, right.count) {
                let pair = [left, right].map { place < $0.count ? $0[place].cells : [] }
                if pair[0] != pair[1] { return "\(pair[0]) and \(pair[1])" }
            }
        }
        return nil
    }

    /// Whether times of contact, of beginnings or of ends are more than three seconds apart: ages are counted by the
    /// machine's clock.
    func contactsDiffer(from other: Twin) throws -> Bool {
        let both = try [self, other].map { twin in
            try twin.connection.query(
                """
                SELECT last_contact_ms, UNIX_TIMESTAMP(last_telemetry_at) * 1000,
                  UNIX_TIMESTAMP(started_at) * 1000, UNIX_TIMESTAMP(completed_at) * 1000,
                  UNIX_TIMESTAMP((SELECT MAX(d.completed_at) FROM backup_disks AS d
                    WHERE d.backup_job_id = backup_jobs.id)) * 1000
                FROM backup_jobs WHERE id LIKE 'job-%' ORDER BY id
                """
            )
        }
        return try zip(both[0], both[1]).contains { left, right in
            try (0...4).contains { column in
                let pair = (try left.optionalInt(column), try right.optionalInt(column))
                guard let left = pair.0, let right = pair.1 else { return (pair.0 == nil) != (pair.1 == nil) }
                return abs(left - right) > 3000
            }
        }
    }
}

/// What was logged.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct LineHandler: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.add("\(event.message)") }
}
