/// Makes the statements of a migration from what is missing.
struct UpPlanner {
    let schema: SchemaReader
    let sizes: TableSizes
    let allowRebuild: Bool
    /// Tables that the migration's statements until now create, whole; a later migration adds to them.
    private var createdTables: Set<String> = []
    private let notes: [MigrationNote]

    init(
        _ schema: SchemaReader,
        assumedRows: Int64? = nil,
        allowRebuild: Bool = false
    ) throws(DatabaseError) {
        self.schema = schema
        self.allowRebuild = allowRebuild
        sizes = try TableSizes(schema, assumedRows: assumedRows)
        notes = try MigrationNote.all(schema)
    }

    /// The tables in which we keep the books, where they are missing.
    static func books(_ schema: SchemaReader) throws(DatabaseError) -> [PlannedStatement] {
        var statements: [String] = []
        for (table, sql) in tables where try !schema.hasTable(table) { statements.append(sql) }
        var hasClaim = try schema.hasTable("sendense_migration_claim")
        if hasClaim { hasClaim = try schema.rowCount(of: "sendense_migration_claim", upTo: 1) == 1 }
        if !hasClaim {
            statements.append("INSERT IGNORE INTO sendense_migration_claim (id) VALUES (1)")
        }
        return statements.map { PlannedStatement($0, .books, cost: .small("bookkeeping")) }
    }

    /// The statements of a migration, in order. Notes come before what they speak of, the version last.
    mutating func statements(_ migration: Migration) throws(DatabaseError) -> [PlannedStatement] {
        let version = migration.version
        createdTables = []
        var statements = noting([MigrationNote(version: version, kind: .start)])
        for group in try groups(migration) {
            var notes: [MigrationNote] = []
            for change in group {
                if let note = try note(change, version) { notes.append(note) }
            }
            statements += noting(notes)
            statements.append(try statement(group))
        }
        let mark = """
            INSERT IGNORE INTO sendense_migrations (version, name) \
            VALUES (\(version), \(SQLText.quoted(migration.name)))
            """
        return statements + [PlannedStatement(mark, .books, cost: .small("bookkeeping"))]
    }

    /// The changes, those to one table's columns together: where the server has to write the table anew, it
    /// does so once.
    private mutating func groups(_ migration: Migration) throws(DatabaseError) -> [[SchemaChange]] {
        var groups: [[SchemaChange]] = []
        for step in migration.steps {
            guard let change = try step.change(schema, createdTables: &createdTables) else { continue }
            let table = change.tableOfColumns
            if table != nil, groups.last?.first?.tableOfColumns == table {
                groups[groups.count - 1].append(change)
            } else {
                groups.append([change])
            }
        }
        return groups
    }

    private func statement(_ group: [SchemaChange]) throws(DatabaseError) -> PlannedStatement {
        switch group[0] {
        case .sql(let sql):
            return PlannedStatement(sql, cost: .small("a statement of its own"))
        case .table(let table, _):
            return PlannedStatement(group[0].sql, cost: .small("`\(table)`: a new table"))
        case .index(_, let table, _, _):
            return try alter(table, group, [.noCopy, .rebuild, .copy])
        case .column(_, let table, _), .enumValues(_, _, let table, _):
            return try alter(table, group, [.instant, .rebuild, .copy])
        }
    }

    private func alter(
        _ table: String,
        _ group: [SchemaChange],
        _ ways: [AlterWay]
    ) throws(DatabaseError) -> PlannedStatement {
        let addsColumn = group.contains { $0.columnChange == .add }
        let way = try sizes.way(ways, addsColumn ? .add : group[0].columnChange, of: table)
        return PlannedStatement(
            "ALTER TABLE `\(table)`\n  \(group.map(\.sql).joined(separator: ",\n  "))",
            .alter(table, ways),
            way: way,
            cost: try sizes.cost(of: way, table, allowRebuild: allowRebuild)
        )
    }

    private func note(_ change: SchemaChange, _ version: Int) throws(DatabaseError) -> MigrationNote? {
        switch change {
        case .sql: return nil
        case .table(let table, _): return MigrationNote(version: version, kind: .table, table: table)
        case .column(let column, let table, _):
            return MigrationNote(version: version, kind: .column, table: table, name: column)
        case .index(let index, let table, let columns, _):
            let former = try schema.indexes(of: table, leading: columns).joined(separator: "\n")
            return MigrationNote(
                version: version,
                kind: .index,
                table: table,
                name: index,
                former: former.isEmpty ? nil : former
            )
        case .enumValues(let values, let column, let table, let facts):
            return MigrationNote(
                version: version,
                kind: .enum,
                table: table,
                name: column,
                added: "enum(\(values.map(SQLText.quoted).joined(separator: ",")))",
                former: facts.definition
            )
        }
    }

    private func noting(_ new: [MigrationNote]) -> [PlannedStatement] {
        let missing = new.filter { note in !notes.contains { $0.isSame(as: note) } }
        guard !missing.isEmpty else { return [] }
        let sql = MigrationNote.inserting(missing)
        return [PlannedStatement(sql, .note(missing), cost: .small("bookkeeping: what comes next is ours"))]
    }

    private static let tables = [
        (
            "sendense_migrations",
            """
            CREATE TABLE IF NOT EXISTS sendense_migrations (
              version int NOT NULL PRIMARY KEY,
              name varchar(100) NOT NULL,
              applied_at timestamp NOT NULL DEFAULT current_timestamp()
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
            """
        ),
        (
            "sendense_migration_claim",
            """
            CREATE TABLE IF NOT EXISTS sendense_migration_claim (
              id tinyint NOT NULL PRIMARY KEY,
              owner varchar(100) NULL,
              expires_at_ms bigint NOT NULL DEFAULT 0
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
            """
        ),
        ("sendense_migration_changes", MigrationNote.tableSQL),
    ]
}
