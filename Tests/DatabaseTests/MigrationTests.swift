import Database
import TestSupport
import Testing

extension DatabaseTests {
    /// The databases that a first migration may meet.
    enum Hub: CaseIterable {
        case empty, field, fieldWithTelemetry

        /// A database of this kind, on a server in this zone.
        func make(timeZone: String = "-03:00") throws -> DatabaseSettings {
            let settings = try PrivateMariaDB.shared(timeZone: timeZone).createDatabase()
            guard self != .empty else { return settings }
            try FieldSchema.install(on: Connection.open(settings), withTelemetry: self == .fieldWithTelemetry)
            return settings
        }
    }

    /// All columns and indexes of a database but the bookkeeping's, a line each.
    static func schema(_ connection: Connection) throws -> [String] {
        let columns = try connection.query(
            """
            SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, COLLATION_NAME, EXTRA \
            FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
            AND TABLE_NAME NOT LIKE 'sendense%' ORDER BY TABLE_NAME, COLUMN_NAME
            """
        )
        let indexes = try connection.query(
            """
            SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, SEQ_IN_INDEX, COLUMN_NAME \
            FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() \
            AND TABLE_NAME NOT LIKE 'sendense%' ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX
            """
        )
        return (columns + indexes).map { $0.cells.map { "\($0)" }.joined(separator: " ") }
    }

    @Suite struct MigrationTests {
        @Test(arguments: Hub.allCases, ["+00:00", "-03:00"])
        func `the guide's schema queries print the guide's values`(hub: Hub, timeZone: String) throws {
            let settings = try hub.make(timeZone: timeZone)
            #expect(
                try Migrator(settings, owner: "test").run().map(\.version) == Migration.all.map(\.version)
            )
            let connection = try Connection.open(settings)
            let jobs = try connection.query(
                """
                SELECT COLUMN_NAME, COLUMN_TYPE, COLUMN_DEFAULT FROM information_schema.COLUMNS \
                WHERE TABLE_SCHEMA=DATABASE() AND TABLE_NAME='backup_jobs' AND COLUMN_NAME IN \
                ('current_phase', 'transfer_speed_bps', 'eta_seconds', 'progress_percent', 'last_telemetry_at')
                """
            )
            #expect(
                try jobs.map { try [$0.text(0), $0.text(1), $0.text(2)] } == [
                    ["current_phase", "varchar(50)", "'pending'"], ["transfer_speed_bps", "bigint(20)", "0"],
                    ["eta_seconds", "int(11)", "0"], ["progress_percent", "decimal(5,2)", "0.00"],
                    ["last_telemetry_at", "datetime", "NULL"],
                ]
            )
            let disks = try connection.query(
                """
                SELECT COLUMN_NAME, COLUMN_TYPE, COLUMN_DEFAULT FROM information_schema.COLUMNS \
                WHERE TABLE_SCHEMA=DATABASE() AND TABLE_NAME='backup_disks' AND COLUMN_NAME='progress_percent'
                """
            )
            #expect(
                disks.map(\.cells) == [[.text("progress_percent"), .text("decimal(5,2)"), .text("0.00")]]
            )
            let index = try connection.query(
                "SHOW INDEXES FROM backup_jobs WHERE Key_name LIKE '%telemetry%'"
            )
            #expect(try index.map { try $0.text(2) } == ["idx_last_telemetry", "idx_last_telemetry"])
            #expect(try index.map { try $0.text(4) } == ["status", "last_telemetry_at"])
        }

        @Test(arguments: Hub.allCases)
        func `all columns of ours are there, and take a job with every new status`(hub: Hub) throws {
            let settings = try hub.make()
            try Migrator(settings, owner: "test").run()
            let connection = try Connection.open(settings)
            let extra = hub == .empty ? "" : ", vm_context_id, repository_path"
            let values = hub == .empty ? "" : ", 'ctx-pgtest1', '/x'"
            if hub == .empty {
                try connection.execute("SET @repository = NULL")
            } else {
                try connection.execute("SET @repository = 'repo-1'")
            }
            try connection.execute(
                """
                INSERT INTO backup_jobs (id, vm_name, repository_id, backup_type, status\(extra)) \
                VALUES ('job', 'vm', @repository, 'full', 'stalled'\(values))
                """
            )
            let disk =
                hub == .empty ? ("", "") : (", vm_backup_context_id", ", 'ctx-backup-pgtest1-1759900000'")
            try connection.execute(
                """
                INSERT INTO backup_disks (backup_job_id, disk_index, status\(disk.0)) \
                VALUES ('job', 0, 'transferring'\(disk.1))
                """
            )
            let row = try connection.query(
                """
                SELECT attempt, telemetry_seq, telemetry_key_ms, telemetry_key_rank, last_contact_ms, presumed, \
                last_telemetry_at, current_phase, d.total_bytes, d.size_gb, j.status, d.status \
                FROM backup_jobs j JOIN backup_disks d ON d.backup_job_id = j.id WHERE j.id = 'job'
                """
            )[0]
            #expect(
                row.cells == [
                    .int(1), .int(0), .null, .null, .null, .int(0), .null, .text("pending"), .null, .int(0),
                    .text("stalled"), .text("transferring"),
                ]
            )
            try connection.execute(
                """
                INSERT INTO job_events (job_id, attempt, at_ms, from_status, to_status, cause, evidence) \
                VALUES ('job', 1, \(ServerClock.milliseconds), NULL, 'running', 'test', '')
                """
            )
            #expect(try connection.execute("DELETE FROM backup_jobs WHERE id = 'job'") == 1)
            #expect(try connection.query("SELECT id FROM backup_disks WHERE backup_job_id = 'job'").isEmpty)
            #expect(try connection.query("SELECT id FROM job_events").count == 1)
        }

        @Test(arguments: Hub.allCases)
        func `a second run finds nothing to do`(hub: Hub) throws {
            let migrator = Migrator(try hub.make(), owner: "test")
            #expect(try migrator.pending().map(\.version) == Migration.all.map(\.version))
            let plan = try migrator.plan().statements.filter { !$0.isBookkeeping }.map(\.sql)
            var reported: [String] = []
            try migrator.run {
                guard case .begins(let statement) = $0, !statement.isBookkeeping else { return }
                reported.append(statement.sql)
            }
            #expect(reported == plan)
            #expect(!plan.isEmpty)
            #expect(try migrator.pending().isEmpty)
            #expect(try migrator.plan().statements.isEmpty)
            #expect(try migrator.run { _ in Issue.record("a statement ran") }.isEmpty)
        }

        @Test func `new tables are clustered by job, and ids compare by bytes`() throws {
            let settings = try Hub.empty.make()
            try Migrator(settings, owner: "test").run()
            let connection = try Connection.open(settings)
            let key = try connection.query("SHOW INDEXES FROM backup_disks WHERE Key_name = 'PRIMARY'")
            #expect(try key.map { try $0.text(4) } == ["backup_job_id", "disk_index"])
            for id in ["Job", "job"] {
                try connection.execute(
                    "INSERT INTO backup_jobs (id, vm_name, backup_type) VALUES ('\(id)', 'v', 'full')"
                )
            }
            #expect(
                try connection.query("SELECT id FROM backup_jobs WHERE id = 'job'").map(\.cells) == [
                    [.text("job")]
                ]
            )
        }

        @Test func `a disks table beside an adopted jobs table takes on its collation`() throws {
            let settings = try Hub.empty.make()
            let connection = try Connection.open(settings)
            try connection.execute(
                """
                CREATE TABLE backup_jobs (id varchar(40) NOT NULL PRIMARY KEY, status varchar(20) NOT NULL) \
                ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_unicode_ci
                """
            )
            try Migrator(settings, owner: "test").run()
            #expect(
                try connection.query("SHOW COLUMNS FROM backup_disks LIKE 'backup_job_id'")[0].text(1)
                    == "varchar(40)"
            )
            #expect(
                try connection.query("SHOW COLUMNS FROM backup_jobs LIKE 'status'")[0].text(1)
                    == "varchar(20)"
            )
            #expect(
                try error {
                    try connection.execute(
                        "INSERT INTO backup_disks (backup_job_id, disk_index) VALUES ('x', 0)"
                    )
                }
                .kind == .missingParent
            )
        }
    }
}
