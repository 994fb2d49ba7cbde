public import Database

/// The tables and rows of a hub in the field, as they stand before our first migration.
public enum FieldSchema {
    /// Makes the tables and rows in the connection's database.
    /// - Parameters:
    ///   - connection: a connection to an empty database.
    ///   - withTelemetry: whether the hub has the guide's telemetry columns already.
    /// - Throws: `DatabaseError` where the database is not empty.
    public static func install(on connection: Connection, withTelemetry: Bool) throws(DatabaseError) {
        for statement in split(sql) + (withTelemetry ? split(telemetrySQL) : []) {
            try connection.execute(statement)
        }
    }

    /// No literal in them holds a semicolon.
    private static func split(_ sql: String) -> [String] {
        sql.split(separator: ";").map { $0.drop(while: \.isWhitespace) }.filter { !$0.isEmpty }
            .map(String.init)
    }

    private static let telemetrySQL = """
        ALTER TABLE backup_jobs
          ADD COLUMN current_phase varchar(50) DEFAULT 'pending',
          ADD COLUMN transfer_speed_bps bigint DEFAULT 0,
          ADD COLUMN eta_seconds int DEFAULT 0,
          ADD COLUMN progress_percent decimal(5,2) DEFAULT 0.0,
          ADD COLUMN last_telemetry_at datetime NULL,
          ADD INDEX idx_last_telemetry (status, last_telemetry_at);
        ALTER TABLE backup_disks ADD COLUMN progress_percent decimal(5,2) DEFAULT 0.0;
        """

    private static let sql = """
        CREATE TABLE backup_repositories (
          id varchar(64) NOT NULL PRIMARY KEY,
          name varchar(255) NOT NULL,
          repository_type enum('local','nfs','cifs','smb','s3','azure') NOT NULL,
          enabled tinyint(1) DEFAULT 1,
          config longtext NOT NULL,
          created_at timestamp DEFAULT current_timestamp(),
          UNIQUE KEY unique_name (name)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

        CREATE TABLE backup_policies (
          id varchar(64) NOT NULL PRIMARY KEY,
          name varchar(255) NOT NULL UNIQUE,
          primary_repository_id varchar(64) NOT NULL,
          retention_days int DEFAULT 30,
          CONSTRAINT fk_policy_repository FOREIGN KEY (primary_repository_id) REFERENCES
            backup_repositories (id)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

        CREATE TABLE vm_replication_contexts (
          context_id varchar(191) NOT NULL PRIMARY KEY,
          vm_name varchar(255) NOT NULL,
          vmware_vm_id varchar(255) NOT NULL DEFAULT ''
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

        CREATE TABLE vm_backup_contexts (
          context_id varchar(64) NOT NULL PRIMARY KEY,
          vm_name varchar(255) NOT NULL,
          repository_id varchar(64) NOT NULL,
          total_backups_run int DEFAULT 0,
          successful_backups int DEFAULT 0,
          failed_backups int DEFAULT 0,
          last_backup_id varchar(64) NULL,
          last_backup_type enum('full','incremental') NULL,
          last_backup_at timestamp NULL,
          created_at timestamp DEFAULT current_timestamp(),
          updated_at timestamp DEFAULT current_timestamp() ON UPDATE current_timestamp(),
          UNIQUE KEY uk_vm_backup (vm_name, repository_id),
          CONSTRAINT fk_context_repository FOREIGN KEY (repository_id) REFERENCES backup_repositories
            (id)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

        CREATE TABLE backup_jobs (
          id varchar(64) NOT NULL PRIMARY KEY,
          vm_backup_context_id varchar(64) NULL,
          vm_context_id varchar(191) NOT NULL,
          vm_name varchar(255) NOT NULL,
          disk_id int NOT NULL DEFAULT 0,
          repository_id varchar(64) NOT NULL,
          policy_id varchar(64) NULL,
          backup_type enum('full','incremental','differential') NOT NULL,
          status enum('pending','running','completed','failed','cancelled') NOT NULL DEFAULT 'pending',
          repository_path varchar(512) NOT NULL,
          parent_backup_id varchar(64) NULL,
          change_id varchar(191) NULL,
          bytes_transferred bigint DEFAULT 0,
          total_bytes bigint DEFAULT 0,
          compression_enabled tinyint(1) DEFAULT 1,
          error_message text NULL,
          created_at timestamp DEFAULT current_timestamp(),
          started_at timestamp NULL,
          completed_at timestamp NULL,
          KEY idx_vm_context (vm_context_id),
          KEY idx_repository (repository_id),
          KEY idx_policy (policy_id),
          KEY idx_status (status),
          KEY idx_parent (parent_backup_id),
          KEY idx_created (created_at),
          KEY idx_backup_context (vm_backup_context_id),
          KEY idx_backup_vm_disk (vm_context_id, disk_id, backup_type),
          CONSTRAINT fk_backup_job_context FOREIGN KEY (vm_backup_context_id) REFERENCES
            vm_backup_contexts (context_id) ON DELETE SET NULL,
          CONSTRAINT fk_backup_job_vm FOREIGN KEY (vm_context_id) REFERENCES vm_replication_contexts
            (context_id) ON DELETE CASCADE,
          CONSTRAINT fk_backup_job_repository FOREIGN KEY (repository_id) REFERENCES
            backup_repositories (id),
          CONSTRAINT fk_backup_job_policy FOREIGN KEY (policy_id) REFERENCES backup_policies (id) ON
            DELETE SET NULL,
          CONSTRAINT fk_backup_job_parent FOREIGN KEY (parent_backup_id) REFERENCES backup_jobs (id)
            ON DELETE SET NULL
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

        CREATE TABLE backup_disks (
          id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
          vm_backup_context_id varchar(64) NOT NULL,
          backup_job_id varchar(64) NOT NULL,
          disk_index int NOT NULL,
          vmware_disk_key int NOT NULL DEFAULT 0,
          size_gb bigint NOT NULL DEFAULT 0,
          unit_number int NULL,
          disk_change_id varchar(255) NULL,
          qcow2_path varchar(512) NULL,
          bytes_transferred bigint DEFAULT 0,
          status enum('pending','running','completed','failed') DEFAULT 'pending',
          error_message text NULL,
          created_at timestamp DEFAULT current_timestamp(),
          completed_at timestamp NULL,
          UNIQUE KEY uk_backup_disk (backup_job_id, disk_index),
          KEY idx_change_id_lookup (vm_backup_context_id, disk_index, status),
          KEY idx_completion (backup_job_id, status),
          CONSTRAINT fk_disk_context FOREIGN KEY (vm_backup_context_id) REFERENCES vm_backup_contexts
            (context_id) ON DELETE CASCADE,
          CONSTRAINT fk_disk_job FOREIGN KEY (backup_job_id) REFERENCES backup_jobs (id) ON DELETE
            CASCADE
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

        CREATE TABLE restore_mounts (
          id varchar(64) NOT NULL PRIMARY KEY,
          backup_disk_id bigint NOT NULL,
          UNIQUE KEY uk_backup_disk (backup_disk_id),
          CONSTRAINT fk_mount_disk FOREIGN KEY (backup_disk_id) REFERENCES backup_disks (id) ON DELETE
            CASCADE
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

        INSERT INTO backup_repositories (id, name, repository_type, config) VALUES ('repo-1', 'local',
            'local', '{}');
        INSERT INTO vm_replication_contexts VALUES ('ctx-pgtest1', 'pgtest1', 'vm-101');
        INSERT INTO vm_backup_contexts (context_id, vm_name,
            repository_id) VALUES ('ctx-backup-pgtest1-1759900000', 'pgtest1', 'repo-1');
        INSERT INTO backup_jobs (id, vm_backup_context_id, vm_context_id, vm_name, repository_id,
            backup_type, status, repository_path, bytes_transferred, total_bytes, created_at,
            started_at, completed_at) VALUES
         ('backup-pgtest1-1759900000', 'ctx-backup-pgtest1-1759900000', 'ctx-pgtest1', 'pgtest1',
            'repo-1', 'full', 'completed', '/multi-disk-parent', 0, 0, '2025-10-08 06:00:00',
            '2025-10-08 06:00:00', '2025-10-08 06:40:00'),
         ('backup-pgtest1-1759990000', 'ctx-backup-pgtest1-1759900000', 'ctx-pgtest1', 'pgtest1',
            'repo-1', 'full', 'running', '/multi-disk-parent', 0, 0, current_timestamp(),
            current_timestamp(), NULL),
         ('backup-pgtest1-disk0-20251009-070640', 'ctx-backup-pgtest1-1759900000', 'ctx-pgtest1',
            'pgtest1', 'repo-1', 'full', 'pending', '/backup/repository/pgtest1-disk0.qcow2', 0, 0,
            current_timestamp(), NULL, NULL);
        INSERT INTO backup_disks (vm_backup_context_id, backup_job_id, disk_index, vmware_disk_key,
            size_gb, disk_change_id, bytes_transferred, status, completed_at) VALUES
         ('ctx-backup-pgtest1-1759900000', 'backup-pgtest1-1759900000', 0, 2000, 102,
            '52 66 8c 2d a7 c5 c5 68-c5 d2 8d 04 79 f5 fd 7d/5440', 109521666048, 'completed',
            '2025-10-08 06:30:00'),
         ('ctx-backup-pgtest1-1759900000', 'backup-pgtest1-1759900000', 1, 2001, 5,
            '52 12 0a 91 4f 33 d2 10-aa 0e 5b 71 c0 6f 2e 44/112', 5368709120, 'completed',
            '2025-10-08 06:40:00'),
         ('ctx-backup-pgtest1-1759900000', 'backup-pgtest1-1759990000', 0, 2000, 102, NULL, 0,
            'pending', NULL),
         ('ctx-backup-pgtest1-1759900000', 'backup-pgtest1-1759990000', 1, 2001, 5, NULL, 0,
            'pending', NULL);
        INSERT INTO restore_mounts VALUES ('mount-1', 1);
        """
}
