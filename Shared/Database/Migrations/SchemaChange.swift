/// What a migration's step finds missing.
enum SchemaChange {
    case sql(String)
    case table(String, definition: String)
    case column(String, of: String, definition: String)
    case index(String, of: String, columns: [String], unique: Bool)
    /// Values to append, and the column as it is.
    case enumValues([String], of: String, in: String, ColumnFacts)

    /// The table whose columns it changes. nil: it does something else, in a statement of its own.
    var tableOfColumns: String? {
        switch self {
        case .column(_, let table, _), .enumValues(_, _, let table, _): table
        case .sql, .table, .index: nil
        }
    }

    /// What it does to columns.
    var columnChange: ColumnChange {
        switch self {
        case .column: .add
        case .enumValues: .widen
        case .sql, .table, .index: .none
        }
    }

    /// Its part of an ALTER TABLE's list, or the whole statement where it is none.
    var sql: String {
        switch self {
        case .sql(let sql): return sql
        case .table(let table, let definition): return "CREATE TABLE IF NOT EXISTS `\(table)` \(definition)"
        case .column(let column, _, let definition):
            return "ADD COLUMN IF NOT EXISTS `\(column)` \(definition)"
        case .index(let index, _, let columns, let unique):
            let list = columns.map { "`\($0)`" }.joined(separator: ", ")
            return "ADD \(unique ? "UNIQUE INDEX" : "INDEX") IF NOT EXISTS `\(index)` (\(list))"
        case .enumValues(let values, let column, _, let facts):
            return "MODIFY COLUMN `\(column)` \(facts.definition(addingEnumValues: values))"
        }
    }
}
