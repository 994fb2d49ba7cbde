/// The SQL of the temporary tables.
struct BatchStatements {
    static let jobs = "sendense_batch_jobs"
    static let disks = "sendense_batch_disks"
    /// The server's error where a job that is remembered has a disk that is not: "value is out of range".
    static let unknownDiskCode: UInt32 = 1690

    private let keys: TargetKeys

    init(_ keys: TargetKeys) {
        self.keys = keys
    }

    /// How many columns hold a job's id.
    var idCount: Int { keys.isOneForm ? 1 : 2 }

    private var diskKey: String { keys.isOneForm ? "id" : "disk_job_id" }

    /// Columns that come from a SELECT have type, character set and collation of what they are selected from; the
    /// others need defaults beside it.
    var creation: [String] {
        [
            """
            CREATE TEMPORARY TABLE \(Self.jobs) (
              n int NOT NULL DEFAULT 0, percent decimal(5,2) NULL, seq bigint NOT NULL DEFAULT 0, key_ms bigint NULL,
              key_rank tinyint NULL, has_telemetry tinyint NOT NULL DEFAULT 0, history_ms bigint NULL, seen datetime NULL,
              contact_ms bigint NULL, now_ms bigint NOT NULL DEFAULT 0, is_remembered tinyint NOT NULL DEFAULT 0,
              least_seq bigint NULL, most_seq bigint NULL, old_key_ms bigint NULL, old_key_rank tinyint NULL,
              old_history_ms bigint NULL
            ) ENGINE=MEMORY
            SELECT id, status, current_phase AS phase, bytes_transferred AS bytes, total_bytes AS total,
              transfer_speed_bps AS speed, eta_seconds AS eta, presumed, attempt\
            \(keys.isOneForm ? "" : ", (SELECT backup_job_id FROM backup_disks LIMIT 0) AS disk_job_id")
            FROM backup_jobs LIMIT 0
            """,
            """
            CREATE TEMPORARY TABLE \(Self.disks) (
              n int NOT NULL DEFAULT 0, is_kept tinyint NOT NULL DEFAULT 0, least_bytes bigint NULL, most_bytes bigint NULL, total bigint NULL,
              PRIMARY KEY (n, disk_index)
            ) ENGINE=MEMORY
            SELECT disk_index, status, status AS old_status, bytes_transferred AS bytes,
              progress_percent AS percent
            FROM backup_disks LIMIT 0
            """,
        ]
    }

    var insertJobs: String {
        """
        INSERT INTO \(Self.jobs) (n, id\(keys.isOneForm ? "" : ", disk_job_id"), status, phase, bytes, total, speed,
          eta, percent, presumed, attempt, seq, key_ms, key_rank, has_telemetry, history_ms, seen, contact_ms, now_ms,
          is_remembered, least_seq, most_seq, old_key_ms, old_key_rank, old_history_ms)
        VALUES (?, ?\(keys.isOneForm ? "" : ", ?"), ?, ?, ?, ?, ?, ?, ? / 100, ?, ?, ?, ?, ?, ?, ?,
          NOW(3) - INTERVAL ? MICROSECOND, \(ServerClock.milliseconds) - ?, \(ServerClock.milliseconds),
          ?, ?, ?, ?, ?, ?)
        """
    }

    var insertDisks: String {
        """
        INSERT INTO \(Self.disks) (n, disk_index, status, bytes, percent, is_kept, old_status, least_bytes,
          most_bytes, total)
        VALUES (?, ?, ?, ?, ? / 100, ?, ?, ?, ?, ?)
        """
    }

    /// As `JobStore.updateJob`; and of a job that is remembered the row has to be what the rules have looked at.
    var updateJobs: String {
        """
        UPDATE \(Self.jobs) AS b STRAIGHT_JOIN backup_jobs AS j FORCE INDEX (`\(keys.jobIndex)`) ON j.id = b.id SET
          j.status = b.status, j.current_phase = b.phase, j.bytes_transferred = b.bytes, j.total_bytes = b.total,
          j.transfer_speed_bps = b.speed, j.eta_seconds = b.eta, j.progress_percent = b.percent,
          j.presumed = b.presumed, j.attempt = b.attempt, j.telemetry_seq = b.seq, j.telemetry_key_ms = b.key_ms,
          j.telemetry_key_rank = b.key_rank,
          j.history_ms = b.history_ms,
          j.last_telemetry_at = IF(b.has_telemetry = 0, NULL, IF(b.seen IS NULL, j.last_telemetry_at,
            IF(j.last_telemetry_at IS NULL OR j.last_telemetry_at > NOW(), b.seen,
              GREATEST(j.last_telemetry_at, b.seen)))),
          j.last_contact_ms = IF(b.has_telemetry = 0, NULL, IF(b.contact_ms IS NULL, j.last_contact_ms,
            IF(j.last_contact_ms IS NULL OR j.last_contact_ms > b.now_ms, b.contact_ms,
              GREATEST(j.last_contact_ms, b.contact_ms))))
        WHERE b.is_remembered = 0
          OR (j.status = 'running' AND j.attempt = b.attempt AND j.telemetry_seq BETWEEN b.least_seq AND b.most_seq
            AND j.telemetry_key_ms <=> b.old_key_ms AND j.telemetry_key_rank <=> b.old_key_rank
            AND j.history_ms <=> b.old_history_ms
            AND j.presumed = 0 AND j.error_message IS NULL AND j.last_telemetry_at IS NOT NULL)
        """
    }

    /// Walks all disks of the jobs. Of a job that is remembered each has to be what the rules have looked at, and
    /// one that is not remembered at all is an error: a count of rows would not show it beside one that is missing.
    var updateDisks: String {
        """
        UPDATE \(Self.jobs) AS b
          STRAIGHT_JOIN backup_disks AS d FORCE INDEX (`\(keys.diskIndex)`) ON d.backup_job_id = b.\(diskKey)
          LEFT JOIN \(Self.disks) AS x ON x.n = b.n AND x.disk_index = d.disk_index SET
          d.status = IF(x.is_kept, d.status, x.status),
          d.bytes_transferred = IF(x.n IS NULL, 9223372036854775807 + d.disk_index + 1,
            IF(x.is_kept, d.bytes_transferred, x.bytes)),
          d.progress_percent = IF(x.is_kept, d.progress_percent, x.percent)
        WHERE IF(b.is_remembered = 0, x.n IS NOT NULL,
          x.n IS NULL OR (COALESCE(d.bytes_transferred, 0) BETWEEN x.least_bytes AND x.most_bytes
            AND COALESCE(d.total_bytes, IF(d.size_gb > 0, d.size_gb * 1073741824, NULL)) = x.total
            AND (d.status <=> x.old_status OR x.old_status = 'transferring' AND d.status = 'running'
              OR x.old_status = 'pending' AND d.status IS NULL)))
        """
    }
}
