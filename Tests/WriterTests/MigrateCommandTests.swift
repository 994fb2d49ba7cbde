import Database
import TestSupport
import Testing

/// `migrate` and `unmigrate` as an operator runs them.
@Suite struct MigrateCommandTests {
    private func hub() throws -> (settings: DatabaseSettings, connection: Connection) {
        let settings = try PrivateMariaDB.shared(timeZone: "-03:00").createDatabase()
        let connection = try Connection.open(settings)
        try FieldSchema.install(on: connection, withTelemetry: false)
        return (settings, connection)
    }

    private func tables(_ connection: Connection) throws -> [String] {
        try connection.query("SHOW TABLES").map { try $0.text(0) }
            .map { try connection.query("SHOW CREATE TABLE `\($0)`")[0].text(1) }
    }

    @Test func `a dry run prints the statements and changes nothing, up and down`() throws {
        let (settings, connection) = try hub()
        let before = try tables(connection)
        let plan = try WriterProgram.run(["migrate", "--dry-run"], on: settings)
        #expect(plan.status == 0 && plan.errorText.isEmpty, "\(plan)")
        for text in ["10.", settings.database, "schema version: 0 now", "CREATE TABLE", "ALGORITHM=INSTANT;"]
        {
            #expect(plan.text.contains(text), "\(text)")
        }
        #expect(try tables(connection) == before)
        #expect(try WriterProgram.run(["migrate"], on: settings).status == 0)
        let again = try WriterProgram.run(["migrate", "--dry-run"], on: settings)
        #expect(again.status == 0 && again.text.contains("nothing to do"))
        let migrated = try tables(connection)
        let down = try WriterProgram.run(["unmigrate", "--dry-run"], on: settings)
        #expect(down.status == 0 && down.text.contains("DROP TABLE IF EXISTS `job_events`;"), "\(down)")
        #expect(try tables(connection) == migrated)
        #expect(try WriterProgram.run(["unmigrate"], on: settings).status == 0)
        #expect(try tables(connection) == before)
    }

    @Test func `the exit status tells who has to act`() throws {
        let (settings, connection) = try hub()
        try connection.execute("ALTER TABLE backup_jobs ROW_FORMAT=COMPRESSED")
        let large = ["migrate", "--dry-run", "--rows", "1000000"]
        let waiting = try WriterProgram.run(large, on: settings)
        #expect(waiting.status == 3 && waiting.text.contains("waits for --allow-rebuild"), "\(waiting)")
        #expect(try WriterProgram.run(large + ["--allow-rebuild"], on: settings).status == 0)
        #expect(try WriterProgram.run(["migrate", "--rows", "5"], on: settings).status == 2)
        #expect(try WriterProgram.run(["migrate", "--rows", "x", "--dry-run"], on: settings).status == 2)
        #expect(try WriterProgram.run(["migrate", "--drop-data"], on: settings).status == 2)
        #expect(try WriterProgram.run(["--dry-run"], on: settings).status == 2)
        let nowhere = settings.using(database: "no_such_database")
        #expect(try WriterProgram.run(["migrate", "--dry-run"], on: nowhere).status == 1)
        #expect(try WriterProgram.run(["unmigrate"], on: nowhere).status == 1)
    }

    @Test func `a large table waits for leave, and the message says what to do`() throws {
        let (settings, connection) = try hub()
        try connection.execute("ALTER TABLE backup_jobs ROW_FORMAT=COMPRESSED")
        try connection.execute(
            """
            INSERT INTO backup_jobs (id, vm_context_id, vm_name, repository_id, backup_type, repository_path) \
            SELECT CONCAT('backup-vm-', seq), 'ctx-pgtest1', 'vm', 'repo-1', 'full', '/x' FROM seq_1_to_10000
            """
        )
        let before = try tables(connection)
        let refused = try WriterProgram.run(["migrate"], on: settings)
        #expect(refused.status == 3 && refused.errorText.contains("--allow-rebuild"), "\(refused)")
        #expect(try tables(connection) == before)
        #expect(try WriterProgram.run(["migrate", "--allow-rebuild"], on: settings).status == 0)
        #expect(try WriterProgram.run(["unmigrate"], on: settings).status == 3)
        #expect(try WriterProgram.run(["unmigrate", "--allow-rebuild"], on: settings).status == 0)
        #expect(try tables(connection) == before)
    }

    @Test(arguments: 0..<3)
    func `two programs that migrate at once do each statement once`(round: Int) throws {
        let (settings, connection) = try hub()
        let runs = (0..<2).map { _ in ThreadRun { try WriterProgram.run(["migrate"], on: settings) } }
        let outputs = try runs.map { try $0.value() }
        #expect(outputs.allSatisfy { $0.status == 0 }, "\(outputs)")
        let lines = outputs.map(\.errorText).joined().split(separator: "\n")
        let statements = lines.filter { $0.contains(" migrating ") }.map { $0.drop { $0 != "`" } }
        #expect(!statements.isEmpty && Set(statements).count == statements.count)
        let versions = try connection.query("SELECT COUNT(*) FROM sendense_migrations")[0].int(0)
        #expect(versions == Migration.all.count)
    }
}
