import Database
import TestSupport
import Testing

extension DatabaseTests {
    @Suite struct AdoptionTests {
        @Test(arguments: [false, true])
        func `nothing that was there is dropped or rewritten`(withTelemetry: Bool) throws {
            let settings = try (withTelemetry ? Hub.fieldWithTelemetry : Hub.field).make()
            let connection = try Connection.open(settings)
            let tables = try connection.query("SHOW TABLES").map { try $0.text(0) }
            func rows() throws -> [[Row]] {
                try tables.map { table in
                    // Only the columns that were there: the new ones stand behind them.
                    try connection.query("SELECT \(columns[table, default: "*"]) FROM `\(table)` ORDER BY 1")
                }
            }
            var columns: [String: String] = [:]
            for table in tables {
                columns[table] = try connection.query("SHOW COLUMNS FROM `\(table)`").map { try $0.text(0) }
                    .joined(separator: ", ")
            }
            let rowsBefore = try rows()
            let before = try schema(connection)
            try Migrator(settings, owner: "test").run()
            #expect(try rows() == rowsBefore)
            let after = Set(try schema(connection))
            let changed = before.filter { !after.contains($0) }
            #expect(changed.count == 2, "only the two ENUMs: \(changed)")
            #expect(changed.allSatisfy { $0.contains("status") && $0.contains("enum") })
            let key = try connection.query("SHOW INDEXES FROM backup_disks WHERE Key_name = 'PRIMARY'")
            #expect(try key.map { try $0.text(4) } == ["id"])
        }

        @Test func `an ENUM is widened at its end and keeps all else`() throws {
            let settings = try Hub.field.make()
            try Migrator(settings, owner: "test").run()
            let connection = try Connection.open(settings)
            func facts(_ table: String) throws -> [Cell] {
                try connection.query(
                    """
                    SELECT COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, COLLATION_NAME \
                    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
                    AND TABLE_NAME = '\(table)' AND COLUMN_NAME = 'status'
                    """
                )[0].cells
            }
            #expect(
                try facts("backup_jobs") == [
                    .text("enum('pending','running','completed','failed','cancelled','stalled')"),
                    .text("NO"),
                    .text("'pending'"), .text("utf8mb4_unicode_ci"),
                ]
            )
            #expect(
                try facts("backup_disks") == [
                    .text("enum('pending','running','completed','failed','transferring')"), .text("YES"),
                    .text("'pending'"), .text("utf8mb4_unicode_ci"),
                ]
            )
        }

        @Test func `quotes, comments and other character sets of an ENUM survive its widening`() throws {
            let settings = try Hub.empty.make()
            let connection = try Connection.open(settings)
            try connection.execute(
                #"""
                CREATE TABLE odd (a enum('it''s','b\\c',',') CHARACTER SET latin1 NULL DEFAULT 'it''s' COMMENT 'say ''a\\b''',
                b enum('x') NOT NULL) CHARSET=utf8mb4
                """#
            )
            try connection.execute(#"INSERT INTO odd VALUES ('it''s', 'x'), ('b\\c', 'x'), (',', 'x')"#)
            let before = try connection.query("SELECT a, b FROM odd")
            let comment = try connection.query("SHOW FULL COLUMNS FROM odd LIKE 'a'")[0].text(8)
            let steps = ["a", "b"].map { MigrationStep.enumValues(["new", "X", "x"], of: $0, in: "odd") }
            let migrator = Migrator(
                settings,
                owner: "test",
                migrations: [Migration(version: 1, name: "widen", steps: steps)]
            )
            try migrator.run()
            #expect(try connection.query("SELECT a, b FROM odd") == before)
            let a = try connection.query("SHOW FULL COLUMNS FROM odd LIKE 'a'")[0]
            #expect(try a.text(1) == "enum('it''s','b\\\\c',',','new','X')")
            #expect(try a.text(2) == "latin1_swedish_ci")
            #expect(try a.text(5) == "it's")
            #expect(try a.text(8) == comment)
            let b = try connection.query("SHOW FULL COLUMNS FROM odd LIKE 'b'")[0]
            #expect(try b.text(1) == "enum('x','new')")
            #expect(try b.text(3) == "NO")
            #expect(b.isNull(5))
        }

        @Test(arguments: [Hub.field, .fieldWithTelemetry])
        func `no column costs an adopted table a copy of its rows`(hub: Hub) throws {
            let migrator = Migrator(try hub.make(), owner: "test")
            let planned = try migrator.plan(assumedRows: 1_000_000).statements.filter { $0.way != nil }
            #expect(
                planned.allSatisfy { $0.way == .instant || ($0.way == .noCopy && $0.sql.contains("INDEX")) }
            )
            var ways: [AlterWay] = []
            try migrator.run { if case .ended(_, let way?, _) = $0 { ways.append(way) } }
            #expect(ways == planned.compactMap(\.way) && ways.count >= 3)
        }

        @Test(arguments: [Hub.empty, .field])
        func `a crash after any statement is harmless`(hub: Hub) throws {
            let whole = try hub.make()
            let plan = try Migrator(whole, owner: "test").plan().statements
            try Migrator(whole, owner: "test").run()
            let expected = try schema(Connection.open(whole))
            for count in 0...plan.count {
                let settings = try hub.make()
                let connection = try Connection.open(settings)
                for statement in plan.prefix(count) { try connection.execute(statement.sql) }
                try Migrator(settings, owner: "test").run()
                try #require(try schema(connection) == expected, "after \(count) statements")
                #expect(try Migrator(settings, owner: "test").plan().statements.isEmpty)
            }
        }

        @Test func `a server that cannot do it instantly is not kept waiting without leave`() throws {
            let settings = try Hub.field.make()
            let connection = try Connection.open(settings)
            try connection.execute("ALTER TABLE backup_jobs ROW_FORMAT=COMPRESSED")
            let before = try schema(connection)
            let migrator = Migrator(settings, owner: "test")
            let plan = try migrator.plan(assumedRows: 1_000_000)
            #expect(plan.needsAllowance && plan.text.contains("waits for --allow-rebuild"), "\(plan.text)")
            #expect(try migrator.plan(assumedRows: 1_000_000, allowRebuild: true).needsAllowance == false)
            #expect(try schema(connection) == before, "a plan changes nothing")
            // The rows of the table as it is are few: written anew at once.
            #expect(try migrator.run().count == Migration.all.count)
        }
    }
}
