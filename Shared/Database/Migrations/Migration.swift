/// One numbered change of the schema. Once released it is never edited: a new one follows.
public struct Migration: Sendable {
    /// 1 and up, without gaps.
    public let version: Int
    /// What it does, in a few words; 100 characters at most.
    public let name: String
    /// What it does, in order. Each may run again: a crash in the middle is harmless.
    public let steps: [MigrationStep]

    /// Creates a migration from its parts.
    public init(version: Int, name: String, steps: [MigrationStep]) {
        self.version = version
        self.name = name
        self.steps = steps
    }

    /// All migrations of this version of the program, ascending.
    public static let all: [Migration] = [.backupTables, .jobHistory, .pathBeats]
}

/// One step of a migration: what there should be.
public enum MigrationStep: Sendable {
    /// A statement as it is, run every time: it must be harmless to repeat.
    case sql(String)
    /// A table. `definition` is what follows its name, and holds all that the migration's later steps would
    /// add; each `{name}` in it stands for the type of a column of another table.
    /// Where it `holdsBackups` its rows are never dropped without being told to.
    case table(String, definition: String, copying: [CopiedType] = [], holdsBackups: Bool = false)
    /// A column. `definition` is what follows its name.
    case column(String, in: String, definition: String)
    /// An index with this name; a unique one with other name but the same columns serves as well.
    case index(String, on: String, columns: [String], unique: Bool = false)
    /// An ENUM column that knows at least these values: missing ones go last, where adding them copies no
    /// rows. A column of another type is left alone. `formerly` has the word for a value where it is unknown.
    case enumValues([String], of: String, in: String, formerly: [String: String] = [:])

    /// The type of another table's column, for a foreign key: an adopted table has its own character set.
    public struct CopiedType: Sendable {
        /// The name that stands for it in the definition, in braces.
        public let placeholder: String
        /// The table to look at.
        public let table: String
        /// The column to look at.
        public let column: String
        /// The type where there is no such table yet.
        public let fallback: String

        /// Creates a reference from its parts.
        public init(placeholder: String, table: String, column: String, fallback: String) {
            self.placeholder = placeholder
            self.table = table
            self.column = column
            self.fallback = fallback
        }
    }

    /// What is missing for this step.
    /// - Parameters:
    ///   - schema: what is there now.
    ///   - createdTables: tables that an earlier step creates, for a plan that does not run them; the step
    ///     adds its own.
    /// - Returns: the change. nil where nothing is missing.
    /// - Throws: `DatabaseError` where the schema cannot be read.
    func change(
        _ schema: SchemaReader,
        createdTables: inout Set<String>
    ) throws(DatabaseError) -> SchemaChange? {
        switch self {
        case .sql(let sql):
            return .sql(sql)
        case .table(let table, let definition, let copied, _):
            guard !createdTables.contains(table), try !schema.hasTable(table) else { return nil }
            createdTables.insert(table)
            var text = definition
            for type in copied {
                let actual = try schema.column(type.column, of: type.table)?.typeWithCharset
                text.replace("{\(type.placeholder)}", with: actual ?? type.fallback)
            }
            return .table(table, definition: text)
        case .column(let column, let table, let definition):
            guard !createdTables.contains(table), try schema.column(column, of: table) == nil else {
                return nil
            }
            return .column(column, of: table, definition: definition)
        case .index(let index, let table, let columns, let unique):
            guard !createdTables.contains(table) else { return nil }
            guard try !schema.hasIndex(index, of: table, columns: columns, unique: unique) else { return nil }
            return .index(index, of: table, columns: columns, unique: unique)
        case .enumValues(let values, let column, let table, _):
            guard !createdTables.contains(table), let facts = try schema.column(column, of: table) else {
                return nil
            }
            let missing = facts.missingEnumValues(values)
            return missing.isEmpty ? nil : .enumValues(missing, of: column, in: table, facts)
        }
    }
}
