internal import JobModel

/// The SQL by which plain progress goes into rows that are not read but remembered.
///
/// The statements compare: a row has to be what the rules have looked at, or it is not counted.
struct ProgressStatements {
    static let jobs = "sendense_progress_jobs"
    static let disks = "sendense_progress_disks"
    /// The server's error where a job has a disk that is not remembered: "value is out of range".
    static let unknownDiskCode: UInt32 = 1690

    private let keys: TargetKeys

    init(_ keys: TargetKeys) {
        self.keys = keys
    }

    /// As for `BatchStatements.creation`.
    var creation: [String] {
        [
            """
            CREATE TEMPORARY TABLE \(Self.jobs) (
              n int NOT NULL DEFAULT 0, percent decimal(5,2) NOT NULL DEFAULT 0, seq bigint NOT NULL DEFAULT 0,
              least_seq bigint NOT NULL DEFAULT 0, most_seq bigint NOT NULL DEFAULT 0, key_ms bigint NULL,
              old_key_ms bigint NULL, history_ms bigint NULL, old_history_ms bigint NULL, seen datetime NULL,
              contact_ms bigint NOT NULL DEFAULT 0
            ) ENGINE=MEMORY
            SELECT id, current_phase AS phase, bytes_transferred AS bytes, total_bytes AS total,
              transfer_speed_bps AS speed, eta_seconds AS eta, attempt\(keys.diskIDColumn)
            FROM backup_jobs LIMIT 0
            """,
            """
            CREATE TEMPORARY TABLE \(Self.disks) (
              n int NOT NULL DEFAULT 0, mode tinyint NOT NULL DEFAULT 0, bytes bigint NOT NULL DEFAULT 0,
              percent int NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0, PRIMARY KEY (n, disk_index)
            ) ENGINE=MEMORY
            SELECT disk_index FROM backup_disks LIMIT 0
            """,
        ]
    }

    var insertJobs: String {
        """
        INSERT INTO \(Self.jobs) (n, id\(keys.isOneForm ? "" : ", disk_job_id"), phase, bytes, total, speed, eta,
          percent, attempt, seq, least_seq, most_seq, key_ms, old_key_ms, history_ms, old_history_ms, seen, contact_ms)
        VALUES (?, ?\(keys.isOneForm ? "" : ", ?"), ?, ?, ?, ?, ?, ? * 0.01, ?, ?, ?, ?, ?, ?, ?, ?,
          NOW(3) - INTERVAL ? MICROSECOND, ?)
        """
    }

    var insertDisks: String {
        """
        INSERT INTO \(Self.disks) (n, disk_index, mode, bytes, percent, total) VALUES (?, ?, ?, ?, ?, ?)
        """
    }

    // The statements are sent together, so the server runs each whatever became of those before it.

    /// What else a job's row holds, plain progress does not change. `?` is now. Nothing where the transaction has ended.
    var updateJobs: String {
        """
        UPDATE \(Self.jobs) AS b STRAIGHT_JOIN backup_jobs AS j FORCE INDEX (`\(keys.jobIndex)`) ON j.id = b.id SET
          j.current_phase = b.phase, j.bytes_transferred = b.bytes, j.total_bytes = b.total,
          j.transfer_speed_bps = b.speed, j.eta_seconds = b.eta, j.progress_percent = b.percent,
          j.telemetry_seq = b.seq, j.telemetry_key_ms = b.key_ms, j.history_ms = b.history_ms,
          j.last_telemetry_at = IF(j.last_telemetry_at IS NULL OR j.last_telemetry_at > NOW(), b.seen,
            GREATEST(j.last_telemetry_at, b.seen)),
          j.last_contact_ms = IF(j.last_contact_ms IS NULL OR j.last_contact_ms > ?, b.contact_ms,
            GREATEST(j.last_contact_ms, b.contact_ms))
        WHERE @@in_transaction AND j.status = 'running' AND j.attempt = b.attempt
          AND j.telemetry_seq BETWEEN b.least_seq AND b.most_seq AND j.telemetry_key_ms <=> b.old_key_ms
          AND j.telemetry_key_rank <=> IF(b.old_key_ms IS NULL, NULL, 0) AND j.history_ms <=> b.old_history_ms
          AND j.presumed = 0 AND j.error_message IS NULL
        """
    }

    /// Walks all disks of the jobs. Each has to be what the rules have looked at, and one that is not remembered at
    /// all is an error: a count of rows would not show it beside one that is missing. Other words for the same status
    /// may stay where the row does; where it changes, ours take the place of a hub's `running`, and the careful way is to
    /// put them in the place of any other. Nothing unless right before as many jobs were changed as `?` says.
    var updateDisks: String {
        let isKept = "x.mode & \(Self.isKept)"
        return """
            UPDATE \(Self.jobs) AS b
              STRAIGHT_JOIN backup_disks AS d FORCE INDEX (`\(keys.diskIndex)`) ON d.backup_job_id = b.\(keys.diskID)
              LEFT JOIN \(Self.disks) AS x ON x.n = b.n AND x.disk_index = d.disk_index SET
              d.bytes_transferred = IF(x.n IS NULL, 9223372036854775807 + d.disk_index + 1,
                IF(\(isKept), d.bytes_transferred, x.bytes)),
              d.progress_percent = IF(\(isKept), d.progress_percent, x.percent * 0.01),
              d.status = IF(\(isKept) OR d.status <> 'running', d.status, '\(DiskStatus.transferring.rawValue)')
            WHERE ROW_COUNT() = ? AND (x.n IS NULL OR (
              COALESCE(d.bytes_transferred, 0) BETWEEN IF(x.mode & \(Self.grows), 0, x.bytes) AND x.bytes
              AND COALESCE(d.total_bytes, IF(d.size_gb > 0, d.size_gb * 1073741824, NULL)) = x.total
              AND CASE d.status WHEN 'transferring' THEN \(Self.word(.transferring)) WHEN 'pending' THEN \(Self.word(.pending))
                WHEN 'completed' THEN \(Self.word(.completed)) WHEN 'failed' THEN \(Self.word(.failed))
                WHEN 'running' THEN \(Self.word(.transferring))
                ELSE IF(\(isKept), \(Self.word(.pending)), 0) END = x.mode & \(Self.words)))
            """
    }

    // What a row of the disks' table has in its `mode`: one number takes both ends less work than four.
    /// The bits of a `word`.
    static let words: Int64 = 7
    /// The row stays as it is: it is there to be compared.
    static let isKept: Int64 = 8
    /// Its bytes grow; where they do not, they have to be the same.
    static let grows: Int64 = 16

    /// A number that stands for a disk's status: it takes less than the word, and 0 stands for none.
    static func word(_ status: DiskStatus) -> Int64 {
        switch status {
        case .pending: 1
        case .transferring: 2
        case .completed: 3
        case .failed: 4
        }
    }
}
