import Database
import TestSupport
import Testing

extension DatabaseTests {
    /// Servers and tables that cannot change at once: what is few is written anew, what is many waits for leave.
    @Suite struct AllowanceTests {
        /// What keeps a server from changing a table at once.
        enum Obstacle: CaseIterable {
            case none, serverForbids, onlyLast, compressed, fulltext

            /// Puts it in the way of `backup_jobs`.
            func prepare(_ connection: Connection) throws(DatabaseError) {
                switch self {
                case .none: break
                case .serverForbids:
                    try connection.execute("SET GLOBAL innodb_instant_alter_column_allowed = never")
                case .onlyLast:
                    try connection.execute("SET GLOBAL innodb_instant_alter_column_allowed = add_last")
                case .compressed:
                    try connection.execute("ALTER TABLE backup_jobs ROW_FORMAT=COMPRESSED")
                case .fulltext:
                    try connection.execute("ALTER TABLE backup_jobs ADD FULLTEXT INDEX words (error_message)")
                }
            }
        }

        @Test(arguments: Obstacle.allCases)
        func `the ways that a plan foretells are the ways that the server takes`(obstacle: Obstacle) throws {
            let (settings, connection) = try hub(obstacle)
            defer { restore(connection) }
            let migrator = Migrator(settings, owner: "test")
            let before = try DownTests.state(connection)
            let up = try migrator.plan().statements.filter { $0.way != nil }
            #expect(try ways { try migrator.run(report: $0) } == up.map { "\($0.sql)" })
            let down = try migrator.planDown().statements.filter { $0.way != nil }
            #expect(try ways { try migrator.runDown(report: $0) } == down.map { "\($0.sql)" })
            #expect(try DownTests.state(connection) == before)
            let heavy = (up + down.filter { !$0.sql.contains("MODIFY") }).contains {
                $0.way == .rebuild || $0.way == .copy
            }
            #expect(heavy == (obstacle != .none && obstacle != .onlyLast))
        }

        @Test(arguments: [Obstacle.serverForbids, .compressed])
        func `a large table is not written anew without leave, and nothing else is done`(
            obstacle: Obstacle
        ) throws {
            let (settings, connection) = try hub(obstacle, rowCount: 10_001)
            defer { restore(connection) }
            let migrator = Migrator(settings, owner: "test")
            let before = try DownTests.state(connection)
            #expect(try migrator.plan().needsAllowance)
            let error = try #require(throws: MigrationError.self) { try migrator.run() }
            #expect(error.isAllowance)
            for word in ["`backup_jobs`", "rows", "--allow-rebuild", "ADD COLUMN", "quiet hour"] {
                #expect(error.description.contains(word), "\(word): \(error)")
            }
            #expect(try DownTests.state(connection) == before)
            #expect(try !migrator.plan(allowRebuild: true).needsAllowance)
            var took: [AlterWay] = []
            try migrator.run(allowRebuild: true) { if case .ended(_, let way?, _) = $0 { took.append(way) } }
            #expect(took.contains(.rebuild) && !took.contains(.copy))
            // Back again the ENUM is copied: once more by leave only.
            let migrated = try DownTests.state(connection)
            #expect(try migrator.planDown().needsAllowance)
            #expect(throws: MigrationError.self) { try migrator.runDown() }
            #expect(try DownTests.state(connection) == migrated)
            #expect(try migrator.runDown(allowRebuild: true))
            #expect(try DownTests.state(connection) == before)
        }

        @Test(arguments: [(10_000, false), (10_001, true)])
        func `ten thousand rows are few, one more is many`(rowCount: Int, waits: Bool) throws {
            let (settings, connection) = try hub(.serverForbids, rowCount: rowCount)
            defer { restore(connection) }
            let migrator = Migrator(settings, owner: "test")
            #expect(try migrator.plan().needsAllowance == waits)
            #expect(try migrator.plan(assumedRows: Int64(rowCount)).needsAllowance == waits)
        }

        @Test(arguments: [(10, true), (10_001, false)])
        func `what the server refuses though nothing foretold it goes no further than it may`(
            rowCount: Int,
            runs: Bool
        ) throws {
            let (settings, connection) = try hub(.none, rowCount: rowCount)
            // An index over a column that is computed keeps InnoDB from adding columns at once.
            try connection.execute(
                """
                ALTER TABLE backup_jobs ADD COLUMN twice bigint AS (total_bytes * 2) VIRTUAL, ADD INDEX twice (twice)
                """
            )
            let before = try DownTests.state(connection)
            let migrator = Migrator(settings, owner: "test")
            #expect(try !migrator.plan().needsAllowance)
            guard !runs else {
                try migrator.run()
                try migrator.runDown()
                #expect(try DownTests.state(connection) == before)
                return
            }
            let error = try #require(throws: MigrationError.self) { try migrator.run() }
            #expect(error.isAllowance, "\(error)")
            #expect(try connection.query("SHOW COLUMNS FROM backup_jobs LIKE 'attempt'").isEmpty)
            // What was refused is not noted as ours: a hub may add such a column itself one day.
            let notes = "SELECT * FROM sendense_migration_changes WHERE kind = 'column'"
            #expect(try connection.query(notes).isEmpty)
            try migrator.run(allowRebuild: true)
            try migrator.runDown(allowRebuild: true)
            #expect(try DownTests.state(connection) == before)
        }

        @Test func `a plan changes nothing and reads the same twice`() throws {
            let (settings, connection) = try hub(.none)
            let before = try DownTests.state(connection)
            let migrator = Migrator(settings, owner: "test")
            let plan = try migrator.plan()
            #expect(try migrator.plan() == plan)
            #expect(try DownTests.state(connection) == before)
            #expect(plan.versionNow == 0 && plan.versionThen == Migration.all.count)
            #expect(plan.text.contains(connection.serverVersion) && plan.text.contains(settings.database))
            try migrator.run()
            #expect(try migrator.plan().text.hasSuffix("-- nothing to do"))
            let migrated = try DownTests.state(connection)
            #expect(try migrator.planDown() == migrator.planDown())
            #expect(try DownTests.state(connection) == migrated)
        }

        @Test func `a plan is SQL that a server takes as it is`() throws {
            let (settings, connection) = try hub(.none)
            let (other, otherConnection) = try hub(.none)
            for statement in try Migrator(settings, owner: "test").plan().statements {
                try connection.execute(statement.sql)
            }
            try Migrator(other, owner: "test").run()
            #expect(try schema(connection) == schema(otherConnection))
            #expect(try Migrator(settings, owner: "test").pending().isEmpty)
            #expect(try Migrator(settings, owner: "test").runDown())
        }

        /// A hub of the field with more jobs, on a server with an obstacle.
        private func hub(
            _ obstacle: Obstacle,
            rowCount: Int = 10
        ) throws -> (settings: DatabaseSettings, connection: Connection) {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            try obstacle.prepare(connection)
            try connection.execute(
                """
                INSERT INTO backup_jobs (id, vm_context_id, vm_name, repository_id, backup_type, repository_path) \
                SELECT CONCAT('backup-vm-', seq), 'ctx-pgtest1', 'vm', 'repo-1', 'full', '/x' \
                FROM seq_1_to_\(rowCount - 3)
                """
            )
            return (settings, connection)
        }

        private func restore(_ connection: Connection) {
            do {
                try connection.execute("SET GLOBAL innodb_instant_alter_column_allowed = DEFAULT")
            } catch {
                Issue.record("\(error)")
            }
        }

        /// The statements that altered tables, in the ways that were taken.
        private func ways(
            _ body: (@escaping (MigrationEvent) -> Void) throws -> some Any
        ) throws -> [String] {
            var statements: [String] = []
            _ = try body { event in
                guard case .ended(let statement, let way?, _) = event else { return }
                statements.append(statement.way == way ? statement.sql : "\(way) for \(statement.sql)")
            }
            return statements
        }
    }
}
