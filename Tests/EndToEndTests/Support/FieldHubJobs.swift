import Database

/// Rows as a hub in the field makes them itself, for clients that then only report.
struct FieldHubJobs {
    static let context = "ctx-backup-pgtest1-1759900000"
    /// The running job that the hub has, with disks of 102 and 5 GiB.
    static let running = "backup-pgtest1-1759990000"
    /// The completed job whose parent never got its bytes.
    static let zeroBytes = "backup-pgtest1-1759900000"
    static let child = "backup-pgtest1-disk0-20251009-070640"
    static let gibibyte: Int64 = 1_073_741_824

    /// What a registration has to tell in such a database, beside what we use.
    static let columns = [
        (name: "vm_context_id", value: "ctx-pgtest1"), (name: "repository_id", value: "repo-1"),
        (name: "repository_path", value: "/backup/repository"),
        (name: "vm_backup_context_id", value: context),
    ]

    let connection: Connection

    /// Makes a job's row, and a row per disk of so many GiB.
    func make(_ job: String, status: String, gibibytes: [Int]) throws {
        try connection.execute(
            """
            INSERT INTO backup_jobs (id, vm_backup_context_id, vm_context_id, vm_name, repository_id,
              backup_type, status, repository_path, started_at)
            VALUES ('\(job)', '\(Self.context)', 'ctx-pgtest1', 'pgtest1', 'repo-1', 'full', '\(status)',
              '/multi-disk-parent', NOW())
            """
        )
        for (index, size) in gibibytes.enumerated() {
            try connection.execute(
                """
                INSERT INTO backup_disks (vm_backup_context_id, backup_job_id, disk_index, vmware_disk_key,
                  size_gb) VALUES ('\(Self.context)', '\(job)', \(index), \(2000 + index), \(size))
                """
            )
        }
    }

    /// All that the hub's other tables hold, and those columns of the job tables that are the hub's alone.
    func foreign() throws -> [String] {
        var texts: [String] = []
        let sums =
            "CHECKSUM TABLE backup_repositories, backup_policies, vm_replication_contexts, "
            + "vm_backup_contexts, restore_mounts"
        for row in try connection.query(sums) { texts.append("\(row.cells)") }
        let rows =
            try connection.query(
                """
                SELECT status, bytes_transferred, total_bytes, error_message, started_at, completed_at
                FROM backup_jobs WHERE id = '\(Self.child)'
                """
            )
            + connection.query(
                """
                SELECT id, vm_backup_context_id, vm_context_id, vm_name, disk_id, repository_id, policy_id,
                  backup_type, repository_path, parent_backup_id, change_id, compression_enabled, created_at
                FROM backup_jobs WHERE id LIKE 'backup-pgtest1-%' ORDER BY id
                """
            )
            + connection.query(
                """
                SELECT id, vm_backup_context_id, backup_job_id, disk_index, vmware_disk_key, size_gb,
                  unit_number, qcow2_path, created_at FROM backup_disks
                WHERE backup_job_id LIKE 'backup-pgtest1-17%' ORDER BY id
                """
            )
        return texts + rows.map { "\($0.cells)" }
    }

    /// The tables as the server describes them, but for the numbers that rows have used up.
    func definitions() throws -> [String] {
        try connection.query("SHOW TABLES").map { table in
            let row = try connection.query("SHOW CREATE TABLE `\(try table.text(0))`")[0]
            return try row.text(1).replacing(#/ AUTO_INCREMENT=\d+/#, with: "")
        }
    }
}
