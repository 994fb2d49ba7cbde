/// The SQL by which jobs that were read under lock change their rows.
struct BatchStatements {
    static let jobs = "sendense_batch_jobs"
    static let disks = "sendense_batch_disks"
    static let ids = "sendense_batch_ids"

    private let keys: TargetKeys

    init(_ keys: TargetKeys) {
        self.keys = keys
    }

    /// Columns that come from a SELECT have type, character set and collation of what they are selected from; the
    /// others need defaults beside it.
    var creation: [String] {
        [
            """
            CREATE TEMPORARY TABLE \(Self.jobs) (
              n int NOT NULL DEFAULT 0, percent decimal(5,2) NULL, seq bigint NOT NULL DEFAULT 0, key_ms bigint NULL,
              key_rank tinyint NULL, has_telemetry tinyint NOT NULL DEFAULT 0, history_ms bigint NULL, seen datetime NULL,
              contact_ms bigint NULL, now_ms bigint NOT NULL DEFAULT 0
            ) ENGINE=MEMORY
            SELECT id, status, current_phase AS phase, bytes_transferred AS bytes, total_bytes AS total,
              transfer_speed_bps AS speed, eta_seconds AS eta, presumed, attempt\(keys.diskIDColumn)
            FROM backup_jobs LIMIT 0
            """,
            """
            CREATE TEMPORARY TABLE \(Self.disks) (
              n int NOT NULL DEFAULT 0, PRIMARY KEY (n, disk_index)
            ) ENGINE=MEMORY
            SELECT disk_index, status, bytes_transferred AS bytes, progress_percent AS percent
            FROM backup_disks LIMIT 0
            """,
            """
            CREATE TEMPORARY TABLE \(Self.ids) ENGINE=MEMORY
            SELECT id AS wanted_id\(keys.diskIDColumn) FROM backup_jobs LIMIT 0
            """,
        ]
    }

    var insertIDs: String {
        "INSERT INTO \(Self.ids) (wanted_id\(keys.isOneForm ? "" : ", disk_job_id")) VALUES (?\(keys.isOneForm ? "" : ", ?"))"
    }

    /// A row by a join costs the server half of what one in a list of ids does. Rows are found, and locked, in the order
    /// in which the ids came in.
    var lockJobs: String {
        """
        SELECT \(JobStore.lockedColumns)
        FROM \(Self.ids) STRAIGHT_JOIN backup_jobs FORCE INDEX (`\(keys.jobIndex)`) ON id = wanted_id
        FOR UPDATE
        """
    }

    var lockDisks: String {
        """
        SELECT \(JobStore.diskColumns)
        FROM \(Self.ids) STRAIGHT_JOIN backup_disks FORCE INDEX (`\(keys.diskIndex)`)
          ON backup_job_id = \(keys.isOneForm ? "wanted_id" : "disk_job_id")
        FOR UPDATE
        """
    }

    var insertJobs: String {
        """
        INSERT INTO \(Self.jobs) (n, id\(keys.isOneForm ? "" : ", disk_job_id"), status, phase, bytes, total, speed,
          eta, percent, presumed, attempt, seq, key_ms, key_rank, has_telemetry, history_ms, seen, contact_ms, now_ms)
        VALUES (?, ?\(keys.isOneForm ? "" : ", ?"), ?, ?, ?, ?, ?, ?, ? / 100, ?, ?, ?, ?, ?, ?, ?,
          NOW(3) - INTERVAL ? MICROSECOND, \(ServerClock.milliseconds) - ?, \(ServerClock.milliseconds))
        """
    }

    var insertDisks: String {
        """
        INSERT INTO \(Self.disks) (n, disk_index, status, bytes, percent) VALUES (?, ?, ?, ?, ? / 100)
        """
    }

    /// As `JobStore.updateJob`.
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
        """
    }

    /// Walks the disks of the jobs, of which those change that are in the other table.
    var updateDisks: String {
        """
        UPDATE \(Self.jobs) AS b
          STRAIGHT_JOIN backup_disks AS d FORCE INDEX (`\(keys.diskIndex)`) ON d.backup_job_id = b.\(keys.diskID)
          STRAIGHT_JOIN \(Self.disks) AS x ON x.n = b.n AND x.disk_index = d.disk_index SET
          d.status = x.status, d.bytes_transferred = x.bytes, d.progress_percent = x.percent
        """
    }
}
