internal import JobModel

/// The SQL by which plain progress goes into rows that are not read but remembered.
///
/// The statements compare: a row has to be what the rules have looked at, or it is not counted.
struct ProgressStatements {
    static let jobs = "sendense_progress_jobs"
    static let disks = "sendense_progress_disks"
    /// The server's error where a job has a disk that is not remembered: "value is out of range".
    static let unknownDiskCode: UInt32 = 1690

    /// Makes the tables. As for `BatchStatements.creation`.
    let creation: [String]
    /// Of jobs whose clients all send `seq`; what it leaves out is as the columns' defaults have it.
    let insertJobs: String
    /// Of any jobs.
    let insertJobsWithClocks: String
    let insertDisks: String
    // The statements are sent together, so the server runs each whatever became of those before it.
    /// What else a job's row holds, plain progress does not change. Each `?` is now. Nothing where the transaction has
    /// ended.
    let updateJobs: String
    /// Walks all disks of the jobs. Each has to be what the rules have looked at, and one that is not remembered at
    /// all is an error: a count of rows would not show it beside one that is missing. Other words for the same status
    /// may stay where the row does; where it changes, ours take the place of a hub's `running`, and the careful way is to
    /// put them in the place of any other. Nothing unless right before as many jobs were changed as `?` says.
    let updateDisks: String

    init(_ keys: TargetKeys) {
        creation = Self.creation(keys)
        insertJobs = Self.insertJobs(keys, [])
        insertJobsWithClocks = Self.insertJobs(keys, ["least_seq", "key_ms", "old_key_ms"])
        insertDisks = "INSERT INTO \(Self.disks) (n_index, mode, bytes, total) VALUES (?, ?, ?, ?)"
        updateJobs = Self.updateJobs(keys)
        updateDisks = Self.updateDisks(keys)
    }

    private static func creation(_ keys: TargetKeys) -> [String] {
        [
            """
            CREATE TEMPORARY TABLE \(jobs) (
              n bigint NOT NULL DEFAULT 0, mode int NOT NULL DEFAULT 0, seq bigint NOT NULL DEFAULT 0,
              least_seq bigint NOT NULL DEFAULT 0, most_seq bigint NOT NULL DEFAULT 0, key_ms bigint NULL,
              old_key_ms bigint NULL, old_history_ms bigint NULL, age_ms bigint NOT NULL DEFAULT 0
            ) ENGINE=MEMORY
            SELECT id, current_phase AS phase, bytes_transferred AS bytes, total_bytes AS total,
              transfer_speed_bps AS speed, eta_seconds AS eta, attempt\(keys.diskIDColumn)
            FROM backup_jobs LIMIT 0
            """,
            """
            CREATE TEMPORARY TABLE \(disks) (
              n_index bigint NOT NULL PRIMARY KEY, mode int NOT NULL, bytes bigint NOT NULL, total bigint NOT NULL
            ) ENGINE=MEMORY
            """,
        ]
    }

    private static func insertJobs(_ keys: TargetKeys, _ more: [String]) -> String {
        let columns =
            ["n", "id"] + (keys.isOneForm ? [] : ["disk_job_id"]) + [
                "phase", "bytes", "total", "speed", "eta", "mode", "attempt", "seq", "most_seq",
                "old_history_ms",
                "age_ms",
            ] + more
        let marks = Array(repeating: "?", count: columns.count)
        return """
            INSERT INTO \(jobs) (\(columns.joined(separator: ", "))) VALUES (\(marks.joined(separator: ", ")))
            """
    }

    /// How many `?` there are in `updateJobs`.
    static let nowCount = 4

    private static func updateJobs(_ keys: TargetKeys) -> String {
        """
        UPDATE \(jobs) AS b STRAIGHT_JOIN backup_jobs AS j FORCE INDEX (`\(keys.jobIndex)`) ON j.id = b.id SET
          j.current_phase = b.phase, j.bytes_transferred = b.bytes, j.total_bytes = b.total,
          j.transfer_speed_bps = b.speed, j.eta_seconds = b.eta,
          j.progress_percent = (b.mode & \(percents)) * 0.01, j.telemetry_seq = b.seq, j.telemetry_key_ms = b.key_ms,
          j.history_ms = IF(b.mode & \(isPoint), ?, j.history_ms),
          j.last_telemetry_at = IF(j.last_telemetry_at IS NULL OR j.last_telemetry_at > NOW(),
            NOW(3) - INTERVAL b.age_ms * 1000 MICROSECOND,
            GREATEST(j.last_telemetry_at, NOW(3) - INTERVAL b.age_ms * 1000 MICROSECOND)),
          j.last_contact_ms = IF(j.last_contact_ms IS NULL OR j.last_contact_ms > ?, ? - b.age_ms,
            GREATEST(j.last_contact_ms, ? - b.age_ms))
        WHERE @@in_transaction AND j.status = 'running' AND j.attempt = b.attempt
          AND j.telemetry_seq BETWEEN b.least_seq AND b.most_seq AND j.telemetry_key_ms <=> b.old_key_ms
          AND j.telemetry_key_rank <=> IF(b.old_key_ms IS NULL, NULL, 0) AND j.history_ms <=> b.old_history_ms
          AND j.presumed = 0 AND j.error_message IS NULL
        """
    }

    private static func updateDisks(_ keys: TargetKeys) -> String {
        let isKept = "x.mode & \(Self.isKept)"
        return """
            UPDATE \(jobs) AS b
              STRAIGHT_JOIN backup_disks AS d FORCE INDEX (`\(keys.diskIndex)`) ON d.backup_job_id = b.\(keys.diskID)
              LEFT JOIN \(disks) AS x ON x.n_index = b.n + d.disk_index SET
              d.bytes_transferred = IF(x.n_index IS NULL, 9223372036854775807 + d.disk_index + 1,
                IF(\(isKept), d.bytes_transferred, x.bytes)),
              d.progress_percent = IF(\(isKept), d.progress_percent, (x.mode & \(percents)) * 0.01),
              d.status = IF(\(isKept) OR d.status <> 'running', d.status, '\(DiskStatus.transferring.rawValue)')
            WHERE ROW_COUNT() = ? AND (x.n_index IS NULL OR (
              COALESCE(d.bytes_transferred, 0) BETWEEN IF(x.mode & \(grows), 0, x.bytes) AND x.bytes
              AND COALESCE(d.total_bytes, IF(d.size_gb > 0, d.size_gb * 1073741824, NULL)) = x.total
              AND CASE d.status WHEN 'transferring' THEN \(word(.transferring)) WHEN 'pending' THEN \(word(.pending))
                WHEN 'completed' THEN \(word(.completed)) WHEN 'failed' THEN \(word(.failed))
                WHEN 'running' THEN \(word(.transferring))
                ELSE IF(\(isKept), \(word(.pending)), 0) END = x.mode & \(words)))
            """
    }

    /// What a job's row has in `n`. A disk's row has that plus the disk's index: one number is found sooner than two.
    static func key(ofJob number: Int) -> Int64 { Int64(number) << 32 }

    // What a row has in its `mode`: one number takes both ends less work than several.
    /// The bits of a percentage in hundredths.
    static let percents: Int64 = 0x3FFF
    /// Of a job: a point of its history is kept now.
    static let isPoint: Int64 = 0x4000
    /// The bits of a `word`, of a disk.
    static let words: Int64 = 0x7_0000
    /// The disk's row stays as it is: it is there to be compared.
    static let isKept: Int64 = 0x8_0000
    /// The disk's bytes grow; where they do not, they have to be the same.
    static let grows: Int64 = 0x10_0000

    /// A number that stands for a disk's status: it takes less than the word, and 0 stands for none.
    static func word(_ status: DiskStatus) -> Int64 {
        switch status {
        case .pending: 0x1_0000
        case .transferring: 0x2_0000
        case .completed: 0x3_0000
        case .failed: 0x4_0000
        }
    }
}
