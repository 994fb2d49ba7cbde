extension Migration {
    /// Version 2: a job's bytes and speed over time, for the chart of its speed.
    static let jobHistory = Migration(
        version: 2,
        name: "history of bytes and speed",
        steps: [
            // When the job's newest point was kept.
            .column("history_ms", in: "backup_jobs", definition: "bigint NULL"),
            .table(
                "job_history",
                definition: historyDefinition,
                copying: [
                    MigrationStep.CopiedType(
                        placeholder: "job id",
                        table: "backup_jobs",
                        column: "id",
                        fallback: jobID
                    )
                ]
            ),
        ]
    )

    // at_ms is UTC, by the database's clock. A job's points go with its row.
    private static let historyDefinition = """
        (
          `job_id` {job id} NOT NULL,
          `attempt` int NOT NULL,
          `at_ms` bigint NOT NULL,
          `bytes_transferred` bigint NOT NULL,
          `transfer_speed_bps` bigint NULL,
          PRIMARY KEY (`job_id`, `attempt`, `at_ms`),
          CONSTRAINT `fk_job_history_job` FOREIGN KEY (`job_id`)
            REFERENCES `backup_jobs` (`id`) ON DELETE CASCADE
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
        """
}
