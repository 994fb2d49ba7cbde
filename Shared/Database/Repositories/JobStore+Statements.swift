internal import JobModel

extension JobStore {
    /// What comes behind a job's own columns: the times of its newest point in the history and of its attempt's
    /// beginning, in milliseconds since 1970 UTC.
    static let historyColumn = 17

    /// What a lock does about rows that another transaction holds.
    static func locking(_ skipsHeld: Bool) -> String { skipsHeld ? "FOR UPDATE SKIP LOCKED" : "FOR UPDATE" }

    /// What `job` reads.
    static let jobColumns = """
        id, vm_name, backup_type, status, current_phase, bytes_transferred, total_bytes,
          transfer_speed_bps, eta_seconds, CAST(progress_percent * 100 AS SIGNED), error_message, presumed,
          last_telemetry_at IS NOT NULL, attempt, telemetry_seq, telemetry_key_ms, telemetry_key_rank
        """

    /// What `disk` reads. A disk's total is our column of exact bytes; where that is NULL, the field's whole GiB.
    static let diskColumns = """
        backup_job_id, disk_index, status, bytes_transferred,
          COALESCE(total_bytes, IF(size_gb > 0, size_gb * 1073741824, NULL)),
          CAST(progress_percent * 100 AS SIGNED), disk_change_id, error_message
        """

    /// What a lock reads of a job.
    static let lockedColumns = """
        \(jobColumns),
          history_ms, CAST(UNIX_TIMESTAMP(started_at) * 1000 AS SIGNED)
        """

    /// `locking` is what the function of that name has; where it is empty, no row is locked.
    static func readJobs(_ marks: String, _ locking: String) -> String {
        """
        SELECT \(lockedColumns)
        FROM backup_jobs WHERE id IN (\(marks)) ORDER BY id \(locking)
        """
    }

    static func readDisks(_ marks: String, _ locking: String) -> String {
        """
        SELECT \(diskColumns)
        FROM backup_disks WHERE backup_job_id IN (\(marks)) ORDER BY backup_job_id, disk_index
          \(locking)
        """
    }

    /// Times are the database's own. A contact never moves them backwards, except where the stored one lies in
    /// the future (a daylight saving change, a stepped clock). Only what a client has announced is ever judged,
    /// so without telemetry `last_telemetry_at` is NULL.
    static var updateJob: String {
        """
        UPDATE backup_jobs SET
          backup_type = ?, status = ?, current_phase = ?, bytes_transferred = ?, total_bytes = ?,
          transfer_speed_bps = ?, eta_seconds = ?, progress_percent = ? / 100, error_message = ?,
          presumed = ?, attempt = ?, telemetry_seq = ?, telemetry_key_ms = ?, telemetry_key_rank = ?,
          history_ms = IF(? = 1, \(ServerClock.milliseconds), IF(? = 2, NULL, history_ms)),
          last_telemetry_at = IF(? = 0, NULL, IF(? IS NULL, last_telemetry_at,
            IF(last_telemetry_at IS NULL OR last_telemetry_at > NOW(), NOW(3) - INTERVAL ? MICROSECOND,
              GREATEST(last_telemetry_at, NOW(3) - INTERVAL ? MICROSECOND)))),
          last_contact_ms = IF(? = 0, NULL, IF(? IS NULL, last_contact_ms,
            IF(last_contact_ms IS NULL OR last_contact_ms > \(ServerClock.milliseconds),
              \(ServerClock.milliseconds) - ?,
              GREATEST(last_contact_ms, \(ServerClock.milliseconds) - ?))))
        WHERE id = ?
        """
    }

    /// `size_gb` is ours to write only in rows that we made; it comes first, since MariaDB assigns from left to
    /// right and the condition asks for the old `total_bytes`.
    static var updateDisk: String {
        """
        UPDATE backup_disks SET
          size_gb = IF(? = 1 AND (total_bytes IS NOT NULL OR size_gb = 0), ?, size_gb),
          total_bytes = IF(? = 1, ?, total_bytes), status = ?, bytes_transferred = ?,
          progress_percent = ? / 100, disk_change_id = ?, error_message = ?
        WHERE backup_job_id = ? AND disk_index = ?
        """
    }

    /// nil for a row that no rule can move: its id is none, or it has a `ForeignWord`.
    static func job(_ row: Row) throws(DatabaseError) -> Job? {
        guard let id = JobID(try row.text(0)), let type = try BackupType(stored: row.optionalText(2)),
            let status = try JobStatus(stored: row.optionalText(3))
        else { return nil }
        var clockKey: ClockKey?
        if let milliseconds = try row.optionalInt(15) {
            clockKey = ClockKey(
                milliseconds: milliseconds,
                rank: Int32(clamping: try row.optionalInt(16) ?? 0)
            )
        }
        return Job(
            id: id,
            vmName: try row.text(1),
            backupType: type,
            status: status,
            phase: try row.optionalText(4) ?? "pending",
            bytes: try row.optionalInt(5) ?? 0,
            total: try row.optionalInt(6) ?? 0,
            speed: try row.optionalInt(7),
            etaSeconds: try row.optionalInt(8).map { Int32(clamping: $0) },
            percentHundredths: Int32(clamping: try row.optionalInt(9) ?? 0),
            errorMessage: try row.optionalText(10),
            isPresumed: try row.int(11) != 0,
            hasTelemetry: try row.int(12) != 0,
            attempt: try row.int(13),
            seq: try row.int(14),
            clockKey: clockKey
        )
    }

    static func disk(_ row: Row) throws(DatabaseError) -> Disk {
        // The field's word for transferring is running.
        let word = try row.optionalText(2)
        let isRunning = JobStatus(stored: word) == .running
        return Disk(
            index: Int32(clamping: try row.int(1)),
            status: DiskStatus(stored: word) ?? (isRunning ? .transferring : .pending),
            bytes: try row.optionalInt(3) ?? 0,
            total: try row.optionalInt(4),
            percentHundredths: Int32(clamping: try row.optionalInt(5) ?? 0),
            changeID: try row.optionalText(6),
            errorMessage: try row.optionalText(7)
        )
    }
}

/// The table of status changes.
enum JobEvents {
    static var insert: String {
        """
        INSERT INTO job_events (job_id, attempt, at_ms, from_status, to_status, cause, evidence)
        VALUES (?, ?, \(ServerClock.milliseconds), ?, ?, ?, ?)
        """
    }
}
