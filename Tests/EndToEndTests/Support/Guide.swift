/// The commands of the integration testing guide, word for word but for line breaks and what depends on the
/// machine: `sh -c` for `watch -n`, and ingest's address. A shell that has read `stack.env` runs them.
enum Guide {
    /// The telemetry columns of `backup_jobs`.
    static let jobColumns = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT COLUMN_NAME, COLUMN_TYPE, COLUMN_DEFAULT
          FROM information_schema.COLUMNS
          WHERE TABLE_SCHEMA='migratekit_oma'
          AND TABLE_NAME='backup_jobs'
          AND COLUMN_NAME IN ('current_phase', 'transfer_speed_bps', 'eta_seconds', 'progress_percent',
            'last_telemetry_at');"
        """#

    /// The progress column of `backup_disks`, by the guide's second login.
    static let diskColumns = #"""
        mysql -u oma_admin -poma_password migratekit_oma -e "
          SELECT COLUMN_NAME, COLUMN_TYPE, COLUMN_DEFAULT
          FROM information_schema.COLUMNS
          WHERE TABLE_SCHEMA='migratekit_oma'
          AND TABLE_NAME='backup_disks'
          AND COLUMN_NAME='progress_percent';"
        """#

    /// The index that the stale-detector lives on.
    static let telemetryIndex = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SHOW INDEXES FROM backup_jobs WHERE Key_name LIKE '%telemetry%';"
        """#

    /// Test 1: the newest completed jobs.
    static let completedJobs = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            id,
            vm_name,
            status,
            bytes_transferred,
            total_bytes,
            ROUND(bytes_transferred / (1024*1024*1024), 2) AS gb_transferred,
            created_at,
            completed_at
          FROM backup_jobs
          WHERE status='completed'
          ORDER BY completed_at DESC
          LIMIT 5;" --vertical
        """#

    /// Test 1: each completed job against the sum of its disks.
    static let aggregation = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            bj.id AS backup_job_id,
            bj.bytes_transferred AS parent_bytes,
            SUM(bd.bytes_transferred) AS sum_disk_bytes,
            (bj.bytes_transferred = SUM(bd.bytes_transferred)) AS aggregation_correct
          FROM backup_jobs bj
          JOIN backup_disks bd ON bd.backup_job_id = bj.id
          WHERE bj.status = 'completed'
          GROUP BY bj.id
          ORDER BY bj.completed_at DESC
          LIMIT 5;" --vertical
        """#

    /// Test 2: the real-time monitor.
    static let monitor = #"""
        sh -c 'mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            id,
            status,
            current_phase,
            ROUND(progress_percent, 1) AS progress,
            ROUND(bytes_transferred / (1024*1024), 0) AS mb_transferred,
            ROUND(transfer_speed_bps / (1024*1024), 2) AS mbps,
            eta_seconds,
            last_telemetry_at
          FROM backup_jobs
          WHERE status IN (\"running\", \"stalled\")
          ORDER BY created_at DESC
          LIMIT 1;" --vertical'
        """#

    /// Test 3: the per-disk monitor as it is written; MariaDB refuses it.
    static let diskMonitor = #"""
        sh -c 'mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            backup_job_id,
            disk_index,
            ROUND(progress_percent, 1) AS progress,
            status,
            ROUND(bytes_transferred / (1024*1024), 0) AS mb_transferred,
            ROUND(size_gb, 1) AS disk_size_gb
          FROM backup_disks
          WHERE backup_job_id IN (
            SELECT id FROM backup_jobs WHERE status=\"running\" ORDER BY created_at DESC LIMIT 1
          );"'
        """#

    /// Its repaired twin: `=` takes a subquery with LIMIT, `IN` does not.
    static let diskMonitorRepaired = #"""
        sh -c 'mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            backup_job_id,
            disk_index,
            ROUND(progress_percent, 1) AS progress,
            status,
            ROUND(bytes_transferred / (1024*1024), 0) AS mb_transferred,
            ROUND(size_gb, 1) AS disk_size_gb
          FROM backup_disks
          WHERE backup_job_id = (
            SELECT id FROM backup_jobs WHERE status=\"running\" ORDER BY created_at DESC LIMIT 1
          );"'
        """#

    /// Test 4: the newest running job.
    static let runningJob = #"""
        JOB_ID=$(mysql -u oma_user -poma_password migratekit_oma -N -e "
          SELECT id FROM backup_jobs WHERE status='running' ORDER BY created_at DESC LIMIT 1;")
        echo "Monitoring job: $JOB_ID"
        """#

    /// Test 4: the stale monitor as it is written; MariaDB refuses it.
    static let staleMonitor = #"""
        sh -c 'mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            id,
            status,
            TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) AS seconds_since_update,
            error_message,
            last_telemetry_at,
            NOW() AS current_time
          FROM backup_jobs
          WHERE id=\"$JOB_ID\";" --vertical'
        """#

    /// Its repaired twin: `current_time` is a reserved word.
    static let staleMonitorRepaired = #"""
        sh -c 'mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            id,
            status,
            TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) AS seconds_since_update,
            error_message,
            last_telemetry_at,
            NOW() AS now_time
          FROM backup_jobs
          WHERE id=\"$JOB_ID\";" --vertical'
        """#

    /// Test 5: the monitor of a job without telemetry.
    static let silentMonitor = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            id,
            status,
            bytes_transferred,
            last_telemetry_at,
            progress_percent
          FROM backup_jobs
          WHERE status='running'
          ORDER BY created_at DESC
          LIMIT 1;" --vertical
        """#

    /// How many jobs have telemetry.
    static let coverage = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            status,
            COUNT(*) AS count,
            SUM(CASE WHEN last_telemetry_at IS NOT NULL THEN 1 ELSE 0 END) AS with_telemetry,
            SUM(CASE WHEN last_telemetry_at IS NULL THEN 1 ELSE 0 END) AS without_telemetry
          FROM backup_jobs
          WHERE created_at > DATE_SUB(NOW(), INTERVAL 24 HOUR)
          GROUP BY status;"
        """#

    /// How long and how fast the jobs of the last hour ran.
    static let frequency = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            id,
            status,
            TIMESTAMPDIFF(SECOND, created_at, last_telemetry_at) AS total_duration_sec,
            ROUND(bytes_transferred / (1024*1024*1024), 2) AS gb_transferred,
            ROUND(transfer_speed_bps / (1024*1024), 2) AS avg_mbps
          FROM backup_jobs
          WHERE last_telemetry_at IS NOT NULL
          AND created_at > DATE_SUB(NOW(), INTERVAL 1 HOUR)
          ORDER BY created_at DESC;"
        """#

    /// The jobs that were called stalled or failed.
    static let staleStatistics = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            status,
            COUNT(*) AS count,
            error_message
          FROM backup_jobs
          WHERE error_message LIKE '%stalled%' OR error_message LIKE '%no telemetry%'
          GROUP BY status, error_message;"
        """#

    /// Troubleshooting: completed jobs whose bytes are not their disks' sum.
    static let wrongSums = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            bd.backup_job_id,
            SUM(bd.bytes_transferred) AS should_be,
            bj.bytes_transferred AS actual,
            (SUM(bd.bytes_transferred) = bj.bytes_transferred) AS correct
          FROM backup_disks bd
          JOIN backup_jobs bj ON bj.id = bd.backup_job_id
          WHERE bj.status = 'completed'
          GROUP BY bd.backup_job_id
          HAVING correct = 0;" --vertical
        """#

    /// Troubleshooting: the stale rule by hand.
    static let staleLogic = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          SELECT
            id,
            status,
            last_telemetry_at,
            TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) AS seconds_stale,
            CASE
              WHEN TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) > 300 THEN 'should_be_failed'
              WHEN TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) > 60 THEN 'should_be_stalled'
              ELSE 'OK'
            END AS detection_status
          FROM backup_jobs
          WHERE status = 'running'
          AND last_telemetry_at IS NOT NULL;"
        """#

    /// Troubleshooting: mends old jobs by hand.
    static let mendOldJobs = #"""
        mysql -u oma_user -poma_password migratekit_oma -e "
          UPDATE backup_jobs bj
          SET bytes_transferred = (
            SELECT SUM(IFNULL(bytes_transferred, 0))
            FROM backup_disks bd
            WHERE bd.backup_job_id = bj.id
          )
          WHERE bj.status = 'completed' AND bj.bytes_transferred = 0;"
        """#

    /// Troubleshooting: the probe of the telemetry route; prints the HTTP status.
    static let probe = #"""
        curl -s -o /dev/null -w '%{http_code}' \
          -X POST "$SENDENSE_INGEST_URL/api/v1/telemetry/backup/test-123" \
          -H 'Content-Type: application/json' \
          -d '{"job_type":"backup","status":"running"}'
        """#

    /// Troubleshooting: the health of the telemetry API.
    static let health = #"""
        curl -s "$SENDENSE_INGEST_URL/api/v1/health" | jq
        """#

    /// What the client prints, by line and column, without the line of names.
    static func table(_ output: String) -> [[String]] {
        output.split(separator: "\n").dropFirst().map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// What the client prints with `--vertical`: the rows, each with its values by name.
    static func rows(_ output: String) -> [[String: String]] {
        var rows: [[String: String]] = []
        for line in output.split(separator: "\n") {
            if line.hasPrefix("***") {
                rows.append([:])
            } else if !rows.isEmpty, let colon = line.firstIndex(of: ":") {
                let name = line[..<colon].drop { $0 == " " }
                rows[rows.count - 1][String(name)] = String(line[colon...].dropFirst(2))
            }
        }
        return rows
    }
}
