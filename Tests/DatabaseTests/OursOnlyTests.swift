import Database
import TestSupport
import Testing

extension DatabaseTests {
    /// What the way back has to tell apart: what is ours, what was there before, and what came after us.
    @Suite struct OursOnlyTests {
        @Test func `an index that the server dropped when ours came is back afterwards`() throws {
            let (settings, connection) = try hub(
                """
                CREATE TABLE backup_jobs (id varchar(64) NOT NULL PRIMARY KEY) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
                CREATE TABLE backup_disks (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
                  backup_job_id varchar(64) NOT NULL, disk_index int NOT NULL,
                  FOREIGN KEY (backup_job_id) REFERENCES backup_jobs (id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
                INSERT INTO backup_jobs VALUES ('j');
                INSERT INTO backup_disks (backup_job_id, disk_index) VALUES ('j', 0)
                """
            )
            let before = try DownTests.state(connection)
            #expect(before.contains { $0.contains("KEY `backup_job_id` (`backup_job_id`)") })
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            let keys = try connection.query("SHOW INDEXES FROM backup_disks WHERE Key_name = 'backup_job_id'")
            #expect(keys.isEmpty, "the server has dropped its own index")
            try migrator.runDown()
            #expect(try DownTests.state(connection) == before)
        }

        @Test func `what the hub adds after us stays, in our tables' columns and ENUMs too`() throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            try connection.execute(
                """
                ALTER TABLE backup_jobs ADD COLUMN note varchar(20) NULL, MODIFY COLUMN status \
                enum('pending','running','completed','failed','cancelled','stalled','verifying') \
                CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL DEFAULT 'pending'
                """
            )
            try connection.execute(
                "UPDATE backup_jobs SET status = 'verifying', note = 'kept' WHERE id = 'backup-pgtest1-1759900000'"
            )
            try migrator.runDown()
            let row = try connection.query("SELECT status, note FROM backup_jobs WHERE note IS NOT NULL")
            #expect(row.map(\.cells) == [[.text("verifying"), .text("kept")]])
            #expect(
                try connection.query("SHOW COLUMNS FROM backup_jobs LIKE 'status'")[0].text(1)
                    == "enum('pending','running','completed','failed','cancelled','verifying')"
            )
        }

        @Test func `a row's own time of change is not ours to set`() throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            try connection.execute(
                """
                ALTER TABLE backup_jobs ADD COLUMN changed_at timestamp NOT NULL DEFAULT current_timestamp() \
                ON UPDATE current_timestamp()
                """
            )
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            try connection.execute(
                "UPDATE backup_jobs SET status = 'stalled', changed_at = '2025-01-01 01:01:01'"
            )
            try migrator.runDown()
            let rows = try connection.query("SELECT DISTINCT status, changed_at FROM backup_jobs")
            #expect(rows.map(\.cells) == [[.text("running"), .text("2025-01-01 01:01:01")]])
        }

        @Test func `rows that came meanwhile stay, with all that the hub's own columns say`() throws {
            let settings = try Hub.fieldWithTelemetry.make()
            let connection = try Connection.open(settings)
            let names = try connection.query("SHOW COLUMNS FROM backup_jobs").map { "`\(try $0.text(0))`" }
                .joined(separator: ", ")
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            try connection.execute(
                """
                INSERT INTO backup_jobs (id, vm_context_id, vm_name, repository_id, backup_type, repository_path, \
                status, current_phase, progress_percent, last_telemetry_at, attempt, presumed) VALUES \
                ('new', 'ctx-pgtest1', 'pgtest1', 'repo-1', 'full', '/x', 'failed', 'transferring', 12.34, \
                '2025-10-10 10:10:10', 3, 1)
                """
            )
            try connection.execute("DELETE FROM backup_jobs WHERE id LIKE '%-disk0-%'")
            try connection.execute(
                """
                INSERT INTO job_events (job_id, attempt, at_ms, to_status, cause, evidence) \
                VALUES ('new', 3, 1, 'failed', 'test', '')
                """
            )
            let rows = try connection.query("SELECT \(names) FROM backup_jobs ORDER BY id")
            try migrator.runDown()
            #expect(
                try connection.query("SELECT * FROM backup_jobs ORDER BY id").map(\.cells)
                    == rows.map(\.cells)
            )
            #expect(rows.count == 3)
        }

        @Test func `a value without another word, and in use, stops the way back before its first step`()
            throws
        {
            let (settings, connection) = try hub(
                "CREATE TABLE things (id int PRIMARY KEY, kind enum('a')); INSERT INTO things VALUES (1, 'a')"
            )
            let migrator = Migrator(
                settings,
                owner: "test",
                migrations: [
                    Migration(
                        version: 1,
                        name: "b",
                        steps: [.enumValues(["a", "b"], of: "kind", in: "things")]
                    )
                ]
            )
            let original = try DownTests.state(connection)
            try migrator.run()
            try connection.execute("INSERT INTO things VALUES (2, 'b')")
            let before = try DownTests.state(connection)
            let refused = MigrationError.valueInUse(table: "things", column: "kind", value: "b", rows: 1)
            #expect(throws: refused) { try migrator.runDown() }
            #expect(throws: refused) { try migrator.planDown() }
            #expect(try DownTests.state(connection) == before)
            try connection.execute("DELETE FROM things WHERE id = 2")
            #expect(try migrator.runDown())
            #expect(try DownTests.state(connection) == original)
        }

        @Test func `a table of ours that others refer to stops the way back before its first step`() throws {
            let (settings, connection) = try hub("CREATE TABLE unrelated (id int PRIMARY KEY)")
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            try connection.execute(
                """
                CREATE TABLE mounts (job varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, \
                FOREIGN KEY (job) REFERENCES backup_jobs (id)) ENGINE=InnoDB
                """
            )
            let before = try DownTests.state(connection)
            let error = try #require(throws: MigrationError.self) { try migrator.runDown(dropData: true) }
            #expect(error.description.contains("`mounts`") && error.description.contains("`backup_jobs`"))
            #expect(try DownTests.state(connection) == before)
            try connection.execute("DROP TABLE mounts")
            #expect(try migrator.runDown())
            #expect(try connection.query("SHOW TABLES").map { try $0.text(0) } == ["unrelated"])
        }

        @Test func `what an older program did without notes is left, though a newer one kept them`() throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            let older = Migrator(settings, owner: "test", migrations: Array(Migration.all.prefix(1)))
            try older.run()
            try connection.execute("DROP TABLE sendense_migration_changes")
            let newer = Migrator(settings, owner: "test")
            #expect(try newer.run().map(\.version) == Array(2...Migration.all.count))
            let before = try DownTests.state(connection)
            #expect(throws: MigrationError.unnoted(versions: [1])) { try newer.runDown() }
            #expect(throws: MigrationError.unnoted(versions: [1])) { try newer.planDown() }
            #expect(try DownTests.state(connection) == before)
        }

        @Test func `an older program does not take out what a newer one has put in`() throws {
            let settings = try Hub.field.make()
            try Migrator(settings, owner: "test").run()
            let older = Migrator(settings, owner: "test", migrations: Array(Migration.all.prefix(1)))
            #expect(throws: MigrationError.newerThanKnown(stored: Migration.all.count, known: 1)) {
                try older.runDown()
            }
        }

        @Test func `a database without anything of ours is left alone`() throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            let before = try DownTests.state(connection)
            #expect(try Migrator(settings, owner: "test").planDown().statements.isEmpty)
            #expect(try !Migrator(settings, owner: "test").runDown { _ in Issue.record("a statement ran") })
            #expect(try DownTests.state(connection) == before)
        }

        @Test func `a user who may not drop tables learns which right is missing`() throws {
            let settings = try Hub.field.make()
            try Migrator(settings, owner: "test").run()
            let root = try Connection.open(PrivateMariaDB.shared().settings)
            try root.execute("CREATE USER IF NOT EXISTS 'keeper' IDENTIFIED BY 'word'")
            try root.execute(
                "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON `\(settings.database)`.* TO 'keeper'"
            )
            var poor = settings
            poor.user = "keeper"
            poor.password = "word"
            let error = try #require(throws: MigrationError.self) {
                try Migrator(poor, owner: "test").runDown()
            }
            #expect(error.description.contains("DROP command denied"), "\(error)")
            // What is left is called neither done nor up to date: both ways lead on from here.
            #expect(try Migrator(settings, owner: "test").pending().count == Migration.all.count)
            #expect(try Migrator(settings, owner: "test").run().count == Migration.all.count)
            #expect(try Migrator(settings, owner: "test").runDown())
        }

        /// A database with these tables.
        private func hub(_ sql: String) throws -> (settings: DatabaseSettings, connection: Connection) {
            let settings = try Hub.empty.make()
            let connection = try Connection.open(settings)
            for statement in sql.split(separator: ";") { try connection.execute(String(statement)) }
            return (settings, connection)
        }
    }
}
