/// One thing that a migration has added to a database, written down before the statement that adds it.
///
/// A statement that changes tables commits by itself, so the note comes first: without one nothing is ever
/// taken out again. A note of something that is not there means nothing.
struct MigrationNote: Sendable, Equatable {
    /// What was added.
    enum Kind: String {
        /// Notes are kept from here on: the version's first one.
        case start
        case table
        case column
        case index
        /// Values of an ENUM.
        case `enum`
    }

    var version: Int
    var kind: Kind
    /// The table; "" for the start.
    var table = ""
    /// The column or the index.
    var name = ""
    /// The values appended to an ENUM, as one of their own. nil otherwise.
    var added: String?
    /// What stood there before: a column's definition, or indexes that the new one can stand in for, a line
    /// each. nil: nothing.
    var former: String?

    /// Where notes are kept. Names compare as MariaDB compares a table's columns.
    static let tableSQL = """
        CREATE TABLE IF NOT EXISTS sendense_migration_changes (
          id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
          version int NOT NULL,
          kind varchar(16) NOT NULL,
          table_name varchar(64) NOT NULL,
          name varchar(64) NOT NULL,
          added text NULL,
          former text NULL,
          noted_at timestamp NOT NULL DEFAULT current_timestamp(),
          UNIQUE KEY uk_change (version, kind, table_name, name)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci
        """

    /// Whether two notes speak of the same thing.
    func isSame(as other: MigrationNote) -> Bool {
        version == other.version && kind == other.kind && table.lowercased() == other.table.lowercased()
            && name.lowercased() == other.name.lowercased()
    }

    /// The statement that writes notes down; a note that is there stays as it is.
    static func inserting(_ notes: [MigrationNote]) -> String {
        let rows = notes.map { note in
            let cells =
                ["\(note.version)"]
                + [note.kind.rawValue, note.table, note.name].map(SQLText.quoted)
                + [note.added, note.former].map { $0.map(SQLText.quoted) ?? "NULL" }
            return "  (\(cells.joined(separator: ", ")))"
        }
        return """
            INSERT IGNORE INTO sendense_migration_changes (version, kind, table_name, name, added, former) VALUES
            \(rows.joined(separator: ",\n"))
            """
    }

    /// The statement that strikes notes out.
    static func deleting(_ notes: [MigrationNote]) -> String {
        let keys = notes.map { note in
            "(\(note.version), \([note.kind.rawValue, note.table, note.name].map(SQLText.quoted).joined(separator: ", ")))"
        }
        return """
            DELETE FROM sendense_migration_changes WHERE (version, kind, table_name, name) IN (
              \(keys.joined(separator: ",\n  ")))
            """
    }

    /// All notes, in the order in which they were written. Empty where none are kept.
    static func all(_ schema: SchemaReader) throws(DatabaseError) -> [MigrationNote] {
        guard try schema.hasTable("sendense_migration_changes") else { return [] }
        let sql = """
            SELECT version, kind, table_name, name, added, former FROM sendense_migration_changes ORDER BY id
            """
        var notes: [MigrationNote] = []
        for row in try schema.connection.query(sql) {
            // A kind that this program does not know comes from a newer one, whose version is refused anyway.
            guard let kind = Kind(rawValue: try row.text(1)) else { continue }
            notes.append(
                MigrationNote(
                    version: Int(try row.int(0)),
                    kind: kind,
                    table: try row.text(2),
                    name: try row.text(3),
                    added: try row.optionalText(4),
                    former: try row.optionalText(5)
                )
            )
        }
        return notes
    }
}
