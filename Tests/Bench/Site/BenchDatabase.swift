import Database
import Foundation
import Glibc
import StackSupport
import TestSupport

/// A durable MariaDB of the bench's own.
final class BenchServer {
    private static let logMebibytes = 128
    /// A statement may take a tenth of the log for one BLOB.
    private static let wrapMebibytes = 4
    private static let options = [
        "--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1", "--innodb-buffer-pool-size=1G",
        "--innodb-log-file-size=\(logMebibytes)M", "--skip-log-bin",
    ]

    let server: PrivateMariaDB
    let processID: pid_t
    let version: String

    /// Starts the server, and wraps its log.
    init() throws {
        server = try PrivateMariaDB.start(durable: true, options: Self.options)
        let connection = try Connection.open(server.createDatabase())
        version = connection.serverVersion
        let path = try connection.query("SELECT @@pid_file")[0].text(0)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw EndToEndError("\(path) holds no process number: \(text)")
        }
        processID = pid
        try Self.wrapLog(connection)
    }

    /// Writes as much as the log holds, since a commit into a part of the file that was never written costs more.
    private static func wrapLog(_ connection: Connection) throws {
        try connection.execute("CREATE TABLE filling (filler longblob NOT NULL)")
        for _ in 0..<(logMebibytes * 5 / 4 / wrapMebibytes) {
            try connection.execute("INSERT INTO filling VALUES (REPEAT('x', \(wrapMebibytes << 20)))")
            try connection.execute("DELETE FROM filling")
        }
        try connection.execute("DROP TABLE filling")
    }
}

/// A database with the product's tables.
final class BenchDatabase {
    let server: BenchServer
    let settings: DatabaseSettings
    let connection: Connection

    /// Makes the tables.
    init(_ server: BenchServer) throws {
        self.server = server
        settings = try server.server.createDatabase()
        // Filling large tables is one statement each.
        var patient = settings
        patient.readTimeoutSeconds = 1800
        connection = try Connection.open(patient)
        try Migrator(settings, owner: "bench").run()
    }

    /// Takes the database out again.
    func drop() throws { try connection.execute("DROP DATABASE `\(settings.database)`") }

    /// Seconds since the jobs began. A point of their history is due each hundredth of that, so that some messages in a
    /// hundred add one, as in the field.
    private static let runSeconds = 4 * 3600

    /// Puts jobs into the tables: at work for some time, and never heard of.
    ///
    /// - Parameters:
    ///   - jobs: which.
    ///   - hasEnded: an SQL condition on their number `seq`; those have ended, and were heard of a day ago.
    /// - Throws: `DatabaseError`.
    func fill(_ jobs: JobSet, hasEnded: String = "FALSE") throws {
        try connection.execute(
            """
            INSERT INTO backup_jobs (id, vm_name, repository_id, backup_type, status, current_phase, total_bytes,
              started_at, last_telemetry_at, history_ms)
            SELECT CONCAT('\(jobs.prefix)', LPAD(seq, \(JobSet.digitCount), '0'), '\(jobs.suffix)'),
              CONCAT('vm', seq), 'bench', 'full', IF(\(hasEnded), 'completed', 'running'),
              'transferring', \(jobs.total), NOW() - INTERVAL \(Self.runSeconds) SECOND,
              IF(\(hasEnded), NOW() - INTERVAL 1 DAY, NULL),
              \(ServerClock.milliseconds) - CRC32(seq) % \(Self.runSeconds * 1000 / 100)
            FROM seq_0_to_\(jobs.count - 1)
            """
        )
        try connection.execute(
            """
            INSERT INTO backup_disks (backup_job_id, disk_index, size_gb, total_bytes, status)
            SELECT j.id, d.seq, \(JobSet.diskTotal >> 30), \(JobSet.diskTotal), 'transferring'
            FROM backup_jobs j CROSS JOIN seq_0_to_\(jobs.diskCount - 1) d
            WHERE j.id LIKE '\(jobs.prefix)%' ORDER BY j.id, d.seq
            """
        )
        _ = try connection.query("ANALYZE TABLE backup_jobs, backup_disks")
    }
}
