import Database
import TestSupport
import Testing

extension DatabaseTests {
    @Suite struct MigratorTests {
        @Test(arguments: 0..<4, [Hub.empty, .field])
        func `of services that start at once one migrates and the others wait`(round: Int, hub: Hub) throws {
            let settings = try hub.make()
            let runs = (0..<4).map { number in
                ThreadRun { () throws -> ([Int], [String]) in
                    var statements: [String] = []
                    let done = try Migrator(settings, owner: "service \(number)").run(timeoutSeconds: 60) {
                        guard case .begins(let statement) = $0, !statement.isBookkeeping else { return }
                        statements.append(statement.sql)
                    }
                    return (done.map(\.version), statements)
                }
            }
            let results = try runs.map { try $0.value() }
            #expect(results.flatMap(\.0).sorted() == Migration.all.map(\.version))
            // Nothing ran twice.
            let statements = results.flatMap(\.1)
            #expect(Set(statements).count == statements.count)
            let connection = try Connection.open(settings)
            let versions = try connection.query("SELECT version FROM sendense_migrations ORDER BY version")
            #expect(try versions.map { Int(try $0.int(0)) } == Migration.all.map(\.version))
            let claim = try connection.query("SELECT owner, expires_at_ms FROM sendense_migration_claim")
            #expect(claim.map(\.cells) == [[.null, .int(0)]])
        }

        @Test func `a claim in force is respected, and its owner named`() throws {
            let settings = try withClaim(expiresInMilliseconds: 30_000)
            let before = try schema(Connection.open(settings))
            #expect(throws: MigrationError.claimed(owner: "another", waitedSeconds: 1)) {
                try Migrator(settings, owner: "test").run(timeoutSeconds: 1)
            }
            #expect(try schema(Connection.open(settings)) == before)
        }

        @Test(arguments: [-1, 3_600_000])
        func `a claim that has expired, or lies too far ahead to be true, is taken`(milliseconds: Int) throws
        {
            let settings = try withClaim(expiresInMilliseconds: milliseconds)
            #expect(try Migrator(settings, owner: "test").run(timeoutSeconds: 1).count == Migration.all.count)
        }

        @Test func `a service that waits goes on when the claim is let go`() throws {
            let settings = try withClaim(expiresInMilliseconds: 1_500)
            #expect(
                try Migrator(settings, owner: "test").run(timeoutSeconds: 30).count == Migration.all.count
            )
        }

        @Test func `a schema newer than the program is refused`() throws {
            let settings = try Hub.empty.make()
            let migrator = Migrator(settings, owner: "test")
            try migrator.run()
            let connection = try Connection.open(settings)
            try connection.execute(
                "INSERT INTO sendense_migrations (version, name) VALUES (7, 'from the future')"
            )
            let refused = MigrationError.newerThanKnown(stored: 7, known: Migration.all.count)
            #expect(throws: refused) { try migrator.run() }
            #expect(throws: refused) { try migrator.plan() }
            #expect(refused.description.contains("version 7"))
        }

        @Test func `a failed step is named, lets the claim go, and is run again`() throws {
            let settings = try Hub.empty.make()
            let migrations = [
                Migration(
                    version: 1,
                    name: "first",
                    steps: [.table("parent", definition: "(id int PRIMARY KEY)")]
                ),
                Migration(
                    version: 2,
                    name: "second",
                    steps: [
                        .column("extra", in: "parent", definition: "int NULL"),
                        .sql("INSERT INTO missing VALUES (1) ON DUPLICATE KEY UPDATE id = id"),
                    ]
                ),
            ]
            let migrator = Migrator(settings, owner: "test", migrations: migrations)
            let error = try #require(throws: MigrationError.self) { try migrator.run() }
            guard case .step(version: 2, let statement, let cause) = error else {
                Issue.record("another error: \(error)")
                return
            }
            #expect(statement.hasPrefix("INSERT INTO missing"))
            #expect(cause.kind == .schemaMismatch)
            #expect(try migrator.pending().map(\.version) == [2])
            let connection = try Connection.open(settings)
            try connection.execute("CREATE TABLE missing (id int PRIMARY KEY)")
            #expect(try migrator.run(timeoutSeconds: 1).map(\.version) == [2])
            #expect(try connection.query("SELECT extra FROM parent").isEmpty)
        }

        @Test func `a plan over several migrations counts each of them`() throws {
            let settings = try Hub.empty.make()
            let migrations = [
                Migration(
                    version: 1,
                    name: "first",
                    steps: [
                        .table("parent", definition: "(id int PRIMARY KEY, a int)"),
                        .column("a", in: "parent", definition: "int"),
                    ]
                ),
                Migration(version: 2, name: "second", steps: [.column("b", in: "parent", definition: "int")]),
            ]
            let migrator = Migrator(settings, owner: "test", migrations: migrations)
            let plan = try migrator.plan().statements.filter { !$0.isBookkeeping }
            #expect(plan.count == 2)
            let done = try migrator.run()
            #expect(done.map(\.version) == [1, 2])
            #expect(try migrator.plan().statements.isEmpty)
        }

        @Test func `a user who may not create tables learns that all is done`() throws {
            let server = try PrivateMariaDB.shared()
            let settings = try Hub.empty.make()
            try Migrator(settings, owner: "test").run()
            let root = try Connection.open(server.settings)
            try root.execute("CREATE USER IF NOT EXISTS 'reader' IDENTIFIED BY 'word'")
            try root.execute("GRANT SELECT, UPDATE ON `\(settings.database)`.* TO 'reader'")
            var poor = settings
            poor.user = "reader"
            poor.password = "word"
            #expect(try Migrator(poor, owner: "test").run().isEmpty)
            let other = try Hub.empty.make()
            try root.execute("GRANT SELECT, UPDATE ON `\(other.database)`.* TO 'reader'")
            poor.database = other.database
            let error = try #require(throws: MigrationError.self) { try Migrator(poor, owner: "test").run() }
            #expect(error.description.contains("Grant the user the rights"))
        }

        @Test func `a table in use delays a migration and does not fail it`() throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            try connection.begin()
            _ = try connection.query("SELECT COUNT(*) FROM backup_jobs")
            let run = ThreadRun { try Migrator(settings, owner: "test").run().count }
            // It is at work once the first statement waits for the table.
            let root = try Connection.open(PrivateMariaDB.shared().settings)
            while try root.query(
                "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE LIKE '%metadata lock%'"
            ).isEmpty {}
            try connection.commit()
            #expect(try run.value() == Migration.all.count)
        }

        /// A database whose claim another service holds.
        private func withClaim(expiresInMilliseconds milliseconds: Int) throws -> DatabaseSettings {
            let settings = try Hub.empty.make()
            let connection = try Connection.open(settings)
            let none = Migrator(
                settings,
                owner: "test",
                migrations: [Migration(version: 1, name: "none", steps: [])]
            )
            try none.run()
            try connection.execute("DELETE FROM sendense_migrations")
            try connection.execute(
                """
                UPDATE sendense_migration_claim \
                SET owner = 'another', expires_at_ms = \(ServerClock.milliseconds) + \(milliseconds)
                """
            )
            return settings
        }
    }
}
