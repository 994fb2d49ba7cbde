import Database
import TestSupport
import Testing

extension DatabaseTests {
    /// The way back: what is ours goes, and nothing else.
    @Suite struct DownTests {
        /// Every table whole, and all its rows.
        static func state(_ connection: Connection) throws -> [String] {
            var lines: [String] = []
            for table in try connection.query("SHOW TABLES").map({ try $0.text(0) }) {
                let create = try connection.query("SHOW CREATE TABLE `\(table)`")[0].text(1)
                lines.append(create.replacing(#/ AUTO_INCREMENT=\d+/#, with: ""))
                lines += try connection.query("SELECT * FROM `\(table)` ORDER BY 1").map { "\($0.cells)" }
            }
            return lines
        }

        @Test(arguments: [Hub.field, .fieldWithTelemetry])
        func `up and down leaves a hub's tables and rows as they were`(hub: Hub) throws {
            let settings = try hub.make()
            let connection = try Connection.open(settings)
            let before = try Self.state(connection)
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            #expect(try Self.state(connection) != before)
            let plan = try migrator.planDown()
            #expect(!plan.needsAllowance && plan.versionThen == 0)
            #expect(plan.statements.contains { $0.sql.contains("job_events") })
            #expect(try migrator.runDown())
            #expect(try Self.state(connection) == before)
            #expect(try !migrator.runDown(), "nothing of ours is left")
            try migrator.run()
            try migrator.runDown()
            #expect(try Self.state(connection) == before, "a second time")
        }

        @Test func `words that only we know become the hub's own`() throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            let id = "backup-pgtest1-1759990000"
            try connection.execute("UPDATE backup_jobs SET status = 'stalled' WHERE id = '\(id)'")
            try connection.execute(
                "UPDATE backup_disks SET status = 'transferring' WHERE backup_job_id = '\(id)'"
            )
            try migrator.runDown()
            let rows = try connection.query(
                """
                SELECT j.status, d.status FROM backup_jobs j JOIN backup_disks d ON d.backup_job_id = j.id
                WHERE j.id = '\(id)'
                """
            )
            #expect(
                try rows.map { [try $0.text(0), try $0.text(1)] } == [
                    ["running", "running"], ["running", "running"],
                ]
            )
        }

        @Test func `backups in tables of our own go only by leave`() throws {
            let settings = try Hub.empty.make()
            let connection = try Connection.open(settings)
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            try connection.execute(
                "INSERT INTO backup_jobs (id, vm_name, backup_type) VALUES ('j', 'v', 'full')"
            )
            let before = try Self.state(connection)
            let error = try #require(throws: MigrationError.self) { try migrator.runDown() }
            #expect(error.description.contains("--drop-data"), "\(error)")
            #expect(try Self.state(connection) == before)
            #expect(try migrator.runDown(dropData: true))
            #expect(try connection.query("SHOW TABLES").isEmpty)
        }

        @Test func `a database that was migrated before notes were kept stays as it is`() throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            try connection.execute("DROP TABLE sendense_migration_changes")
            let before = try Self.state(connection)
            #expect(try migrator.run().isEmpty)
            let error = try #require(throws: MigrationError.self) { try migrator.runDown() }
            #expect(!error.description.isEmpty)
            #expect(try Self.state(connection) == before, "\(error)")
        }

        @Test(arguments: [Hub.field, .fieldWithTelemetry])
        func `a crash on the way down is harmless after any statement`(hub: Hub) throws {
            let whole = try hub.make()
            let before = try Self.state(try Connection.open(whole))
            try Migrator(whole, owner: "test").run()
            let count = try Migrator(whole, owner: "test").planDown().statements.count
            for done in 0..<count {
                let settings = try hub.make()
                let connection = try Connection.open(settings)
                let created = try connection.query("SELECT created_at FROM backup_jobs ORDER BY id")
                let migrator = Migrator(settings, owner: "test")
                try migrator.run()
                for statement in try migrator.planDown().statements.prefix(done) {
                    try connection.execute(statement.sql)
                }
                try migrator.runDown()
                try #require(try Self.state(connection).count == before.count, "after \(done) statements")
                let tables =
                    "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
                    + "AND TABLE_NAME LIKE 'sendense%'"
                #expect(try connection.query(tables)[0].int(0) == 0)
                #expect(try connection.query("SELECT created_at FROM backup_jobs ORDER BY id") == created)
            }
        }
    }
}
