/// Makes the statements that take out what the notes say is ours, and nothing else.
struct DownPlanner {
    private let schema: SchemaReader
    private let sizes: TableSizes
    private let migrations: [Migration]
    private let notes: [MigrationNote]
    private let allowRebuild: Bool
    private let dropData: Bool
    /// Tables that we created and that are there, the newest first: it may refer to older ones.
    private let ownTables: [String]

    init(
        _ schema: SchemaReader,
        _ migrations: [Migration],
        assumedRows: Int64?,
        allowRebuild: Bool,
        dropData: Bool
    ) throws(DatabaseError) {
        self.schema = schema
        self.migrations = migrations
        self.allowRebuild = allowRebuild
        self.dropData = dropData
        sizes = try TableSizes(schema, assumedRows: assumedRows)
        notes = try MigrationNote.all(schema)
        var ownTables: [String] = []
        for note in notes.reversed() where note.kind == .table {
            if try schema.hasTable(note.table) { ownTables.append(note.table) }
        }
        self.ownTables = ownTables
    }

    /// The statements, in order: what can be refused comes first, and what cannot be had back last.
    /// - Parameter applied: the versions that the database has seen.
    /// - Returns: the statements. Empty where nothing of ours is there.
    /// - Throws: `MigrationError` where ours cannot be told, or cannot go.
    func statements(applied: Set<Int>) throws(MigrationError) -> [PlannedStatement] {
        let noted = Set(notes.filter { $0.kind == .start }.map(\.version))
        let unnoted = applied.subtracting(noted)
        guard unnoted.isEmpty else { throw .unnoted(versions: unnoted.sorted()) }
        var books: [String] = []
        do {
            // The claim last: it keeps others out until all is done.
            for table in ["sendense_migration_changes", "sendense_migrations", "sendense_migration_claim"]
            where try schema.hasTable(table) {
                books.append("DROP TABLE IF EXISTS \(table)")
            }
            var statements: [PlannedStatement] = []
            if !applied.isEmpty {
                // First, so that a crash leaves no database that is called up to date and is not.
                statements.append(Self.book("DELETE FROM sendense_migrations"))
            }
            var tables: [String] = []
            for note in notes where ![.start, .table].contains(note.kind) && !isOwn(note.table) {
                if !tables.contains(note.table) { tables.append(note.table) }
            }
            for table in tables where try schema.hasTable(table) { statements += try takingOut(of: table) }
            for table in ownTables { statements += try dropping(table) }
            return statements + books.map(Self.book)
        } catch let error as DatabaseError {
            throw .database(error)
        } catch let error as MigrationError {
            throw error
        } catch {
            preconditionFailure("no other error is thrown: \(error)")
        }
    }

    private func isOwn(_ table: String) -> Bool {
        ownTables.contains { $0.lowercased() == table.lowercased() }
    }

    /// What takes our indexes, values and columns out of a table that was there before us.
    private func takingOut(of table: String) throws -> [PlannedStatement] {
        let own = notes.filter { $0.table == table }.reversed()
        var statements: [PlannedStatement] = []
        for note in own where note.kind == .index { statements += try droppingIndex(note) }
        var parts: [String] = []
        var done: [MigrationNote] = []
        for note in own where note.kind == .column {
            guard try schema.column(note.name, of: table) != nil else { continue }
            parts.append("DROP COLUMN IF EXISTS `\(note.name)`")
            done.append(note)
        }
        let columnCount = parts.count
        for (column, values, columnNotes) in addedValues(own) {
            guard let facts = try schema.column(column, of: table) else { continue }
            guard let definition = facts.definition(removingEnumValues: values) else { continue }
            for value in values { statements += try replacing(value, of: column, in: table) }
            parts.append("MODIFY COLUMN `\(column)` \(definition)")
            done += columnNotes
        }
        guard !parts.isEmpty else { return statements }
        // An ENUM that loses values is always copied.
        let ways: [AlterWay] = parts.count > columnCount ? [.copy] : [.instant, .rebuild, .copy]
        let way = try sizes.way(ways, .drop, of: table)
        let alter = PlannedStatement(
            "ALTER TABLE `\(table)`\n  \(parts.joined(separator: ",\n  "))",
            .alter(table, ways),
            way: way,
            cost: try sizes.cost(of: way, table, allowRebuild: allowRebuild)
        )
        return statements + [alter, Self.book(MigrationNote.deleting(done))]
    }

    private func droppingIndex(_ note: MigrationNote) throws -> [PlannedStatement] {
        guard try schema.hasIndex(note.name, of: note.table, columns: [], unique: false) else { return [] }
        var parts: [String] = []
        // What the server dropped by itself when ours came has to come back first: a foreign key needs it.
        for former in (note.former ?? "").split(separator: "\n").map(String.init) {
            let name = former.dropFirst().prefix { $0 != "`" }
            let isThere = try schema.hasIndex(String(name), of: note.table, columns: [], unique: false)
            if !isThere { parts.append("ADD INDEX IF NOT EXISTS \(former)") }
        }
        parts.append("DROP INDEX IF EXISTS `\(note.name)`")
        let ways: [AlterWay] = [.noCopy, .rebuild, .copy]
        let way = try sizes.way(ways, .none, of: note.table)
        var cost = try sizes.cost(of: way, note.table, allowRebuild: allowRebuild)
        if way == .noCopy, parts.count == 1 {
            cost.words = "`\(note.table)`: an index is dropped"
            cost.seconds = AlterWay.instant.seconds(rows: 0, bytes: 0)
        }
        let alter = PlannedStatement(
            "ALTER TABLE `\(note.table)`\n  \(parts.joined(separator: ",\n  "))",
            .alter(note.table, ways),
            way: way,
            cost: cost
        )
        return [alter, Self.book(MigrationNote.deleting([note]))]
    }

    /// Each ENUM with all values that we appended to it.
    private func addedValues(
        _ notes: some Sequence<MigrationNote>
    ) -> [(column: String, values: [String], notes: [MigrationNote])] {
        var columns: [(column: String, values: [String], notes: [MigrationNote])] = []
        for note in notes where note.kind == .enum {
            let values = ColumnFacts.enumValues(of: note.added ?? "") ?? []
            if let index = columns.firstIndex(where: { $0.column == note.name }) {
                columns[index].values += values
                columns[index].notes.append(note)
            } else {
                columns.append((note.name, values, [note]))
            }
        }
        return columns
    }

    /// What gives rows with a value of ours the word that was used before.
    private func replacing(_ value: String, of column: String, in table: String) throws -> [PlannedStatement]
    {
        let rows = try schema.rowCount(of: table, where: column, is: value)
        guard let word = formerWord(for: value, of: column, in: table) else {
            guard rows == 0 else {
                throw MigrationError.valueInUse(table: table, column: column, value: value, rows: rows)
            }
            return []
        }
        // The row's own time of change is not ours to set.
        let kept = try schema.columnsOnUpdate(of: table).map { ", `\($0)` = `\($0)`" }.joined()
        let sql = """
            UPDATE `\(table)` SET `\(column)` = \(SQLText.quoted(word))\(kept) \
            WHERE `\(column)` = \(SQLText.quoted(value))
            """
        let cost = StatementCost(
            words: "`\(table)`: rows get the word of before",
            rows: rows,
            bytes: nil,
            seconds: 0.05 + Double(rows) * 2e-5,
            allowance: nil
        )
        return [PlannedStatement(sql, cost: cost)]
    }

    private func formerWord(for value: String, of column: String, in table: String) -> String? {
        for case .enumValues(_, column, table, let formerly) in migrations.flatMap(\.steps) {
            if let word = formerly[value] { return word }
        }
        return nil
    }

    private func dropping(_ table: String) throws -> [PlannedStatement] {
        for other in try schema.tablesReferring(to: table) {
            guard try other.database == schema.database() && isOwn(other.table) else {
                throw MigrationError.referred(table: table, by: "\(other.database)`.`\(other.table)")
            }
        }
        let hasRows = try schema.rowCount(of: table, upTo: 1) > 0
        let holdsBackups = migrations.flatMap(\.steps).contains { step in
            if case .table(table, _, _, holdsBackups: true) = step { true } else { false }
        }
        let facts = try schema.tableFacts(table)
        let cost = StatementCost(
            words: "`\(table)`: dropped\(hasRows ? " with its rows" : "")",
            rows: hasRows ? facts?.rows : nil,
            bytes: hasRows ? facts?.bytes : nil,
            seconds: 0.05,
            allowance: hasRows && holdsBackups && !dropData ? .dropData : nil
        )
        return [PlannedStatement("DROP TABLE IF EXISTS `\(table)`", .drop(table), cost: cost)]
    }

    private static func book(_ sql: String) -> PlannedStatement {
        PlannedStatement(sql, .books, cost: .small("bookkeeping"))
    }
}
