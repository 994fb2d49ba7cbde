import Database

/// Rules that hold for every row, whoever told what: each query finds the rows that break one.
enum TableRules {
    private static let queries: [(rule: String, sql: String)] = [
        (
            "the parent's bytes are the sum of its disks'",
            """
            SELECT j.id, CONCAT(j.bytes_transferred, ' <> ', SUM(d.bytes_transferred)) FROM backup_jobs j
            JOIN backup_disks d ON d.backup_job_id = j.id GROUP BY j.id
            HAVING MAX(j.bytes_transferred) <> SUM(d.bytes_transferred)
            """
        ),
        (
            "the parent's total is the sum of its disks'",
            """
            SELECT j.id, CONCAT(j.total_bytes, ' <> ', SUM(COALESCE(d.total_bytes, 0))) FROM backup_jobs j
            JOIN backup_disks d ON d.backup_job_id = j.id GROUP BY j.id
            HAVING MAX(j.total_bytes) <> SUM(COALESCE(d.total_bytes, 0))
            """
        ),
        (
            "a completed job is complete",
            """
            SELECT id, CONCAT_WS(' ', current_phase, progress_percent, transfer_speed_bps, eta_seconds,
              error_message, completed_at) FROM backup_jobs WHERE status = 'completed'
            AND (current_phase <> 'completed' OR progress_percent <> 100
              OR COALESCE(transfer_speed_bps, 1) <> 0 OR COALESCE(eta_seconds, 1) <> 0
              OR error_message IS NOT NULL OR completed_at IS NULL OR presumed)
            """
        ),
        (
            "a completed job has no open disk",
            """
            SELECT j.id, CONCAT('disk ', d.disk_index, ' ', d.status) FROM backup_jobs j
            JOIN backup_disks d ON d.backup_job_id = j.id
            WHERE j.status = 'completed' AND (d.status <> 'completed' OR d.progress_percent <> 100)
            """
        ),
        (
            "a job has a time of its end if and only if it has ended",
            """
            SELECT id, CONCAT_WS(' ', status, completed_at) FROM backup_jobs
            WHERE (status IN ('completed', 'failed', 'cancelled')) <> (completed_at IS NOT NULL)
            """
        ),
        (
            "a job that stalled or failed says why, a running one has no error",
            """
            SELECT id, CONCAT_WS(' ', status, error_message) FROM backup_jobs
            WHERE (status IN ('stalled', 'failed') AND COALESCE(error_message, '') = '')
              OR (status = 'running' AND error_message IS NOT NULL)
            """
        ),
        (
            "only a failure is presumed",
            "SELECT id, status FROM backup_jobs WHERE presumed AND status <> 'failed'"
        ),
        (
            "percent is bytes of total",
            """
            SELECT id, CONCAT_WS(' ', progress_percent, bytes_transferred, total_bytes) FROM backup_jobs
            WHERE progress_percent NOT BETWEEN 0 AND 100 OR (status <> 'completed' AND total_bytes > 0
              AND progress_percent <> LEAST(100, TRUNCATE(bytes_transferred * 100 / total_bytes, 2)))
            """
        ),
        (
            "no event begins where the one before did not end",
            """
            SELECT job_id, CONCAT(id, ': ', COALESCE(before_status, 'none'), ', then from ',
              COALESCE(from_status, 'none')) FROM
            (SELECT id, job_id, from_status,
                LAG(to_status) OVER (PARTITION BY job_id ORDER BY id) AS before_status
              FROM job_events) e WHERE NOT (from_status <=> before_status)
            """
        ),
        (
            "each event is a change",
            """
            SELECT job_id, CONCAT(to_status, ' (', cause, ') twice') FROM job_events
            WHERE from_status = to_status AND cause NOT IN ('bytes presumed', 'restarted')
            """
        ),
        (
            "a job's status is where its last event led",
            """
            SELECT j.id, CONCAT(j.status, ', last event ', e.to_status) FROM backup_jobs j JOIN job_events e
            ON e.id = (SELECT MAX(id) FROM job_events WHERE job_id = j.id) WHERE e.to_status <> j.status
            """
        ),
        (
            "nothing happens to a job after its completion",
            """
            SELECT job_id, CONCAT(to_status, ' (', cause, ')') FROM job_events
            WHERE from_status = 'completed' OR (from_status = 'cancelled' AND cause <> 'restarted')
            """
        ),
    ]

    /// The rows that break a rule, each in a line.
    static func breaches(_ connection: Connection) throws -> [String] {
        try queries.flatMap { query in
            try connection.query(query.sql).map {
                "\(try $0.text(0)): not so that \(query.rule): \(try $0.optionalText(1) ?? "")"
            }
        }
    }
}
