/// What information_schema says of the connection's own database.
struct SchemaReader {
    let connection: Connection

    /// The database's name.
    func database() throws(DatabaseError) -> String {
        try connection.query("SELECT DATABASE()")[0].text(0)
    }

    /// Whether there is such a table.
    func hasTable(_ table: String) throws(DatabaseError) -> Bool {
        let sql = """
            SELECT COUNT(*) FROM information_schema.TABLES \
            WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?
            """
        return try connection.prepare(sql).query([.text(table)])[0].int(0) > 0
    }

    /// The facts of a column. nil where there is no such table or column.
    func column(_ column: String, of table: String) throws(DatabaseError) -> ColumnFacts? {
        let sql = """
            SELECT COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, CHARACTER_SET_NAME, COLLATION_NAME, COLUMN_COMMENT \
            FROM information_schema.COLUMNS \
            WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = ?
            """
        guard let row = try connection.prepare(sql).query([.text(table), .text(column)]).first else {
            return nil
        }
        return ColumnFacts(
            type: try row.text(0),
            isNullable: try row.text(1) == "YES",
            defaultExpression: try row.optionalText(2),
            characterSet: try row.optionalText(3),
            collation: try row.optionalText(4),
            comment: try row.text(5)
        )
    }

    /// Whether the table has an index of this name, or, where `unique`, one that is unique on these columns.
    func hasIndex(
        _ index: String,
        of table: String,
        columns: [String],
        unique: Bool
    ) throws(DatabaseError) -> Bool {
        let sql = """
            SELECT INDEX_NAME, NON_UNIQUE, COLUMN_NAME FROM information_schema.STATISTICS \
            WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY INDEX_NAME, SEQ_IN_INDEX
            """
        var uniqueColumns: [String: Set<String>] = [:]
        for row in try connection.prepare(sql).query([.text(table)]) {
            let name = try row.text(0)
            if name.lowercased() == index.lowercased() { return true }
            guard try row.int(1) == 0 else { continue }
            uniqueColumns[name, default: []].insert(try row.text(2).lowercased())
        }
        return unique && uniqueColumns.values.contains(Set(columns.map { $0.lowercased() }))
    }
}

/// One column as information_schema describes it.
struct ColumnFacts: Equatable {
    /// As SQL, like `varchar(64)` or `enum('a','b')`.
    var type: String
    var isNullable: Bool
    /// As SQL, strings with their quotes. nil: none.
    var defaultExpression: String?
    /// nil: no character data.
    var characterSet: String?
    var collation: String?
    var comment: String

    /// The type as another table's column must have it for a foreign key.
    var typeWithCharset: String {
        guard let characterSet, let collation else { return type }
        return "\(type) CHARACTER SET \(characterSet) COLLATE \(collation)"
    }

    /// The values of an ENUM, backslashes still escaped. nil: another type.
    var enumValues: [String]? { Self.enumValues(of: type) }

    /// The values of an ENUM's type, backslashes still escaped. nil: another type.
    static func enumValues(of type: String) -> [String]? {
        guard type.lowercased().hasPrefix("enum("), type.hasSuffix(")") else { return nil }
        var values: [String] = []
        var value = ""
        var isInside = false
        var rest = type.dropFirst("enum(".count).dropLast()[...]
        while let character = rest.popFirst() {
            switch (character, isInside) {
            // Inside, a quote is written twice.
            case ("'", true) where rest.first == "'":
                rest.removeFirst()
                value.append("'")
            case ("'", true):
                values.append(value)
                value = ""
                isInside = false
            case ("'", false): isInside = true
            case (_, true): value.append(character)
            case (_, false): break
            }
        }
        return values
    }

    /// Those of the wanted values that an ENUM does not know. Empty where it is no ENUM.
    func missingEnumValues(_ wanted: [String]) -> [String] {
        guard let values = enumValues else { return [] }
        // A collation may hold upper and lower case to be the same value.
        var known = Set(values.map { $0.lowercased() })
        return wanted.filter { known.insert($0.lowercased()).inserted }
    }

    /// The column's definition with these values appended to its ENUM, all else as it is.
    func definition(addingEnumValues missing: [String]) -> String {
        definition(type: "\(type.dropLast())\(missing.map { ",\(SQLText.quoted($0))" }.joined()))")
    }

    /// The column's definition without these values of its ENUM, all else as it is. nil where it has none of
    /// them, or is no ENUM.
    func definition(removingEnumValues removed: [String]) -> String? {
        guard let values = enumValues else { return nil }
        let names = Set(removed.map { $0.lowercased() })
        let kept = values.filter { !names.contains($0.lowercased()) }
        guard kept.count < values.count else { return nil }
        // Backslashes are still escaped, quotes are not.
        let list = kept.map { "'\($0.replacing("'", with: "''"))'" }.joined(separator: ",")
        return definition(type: "enum(\(list))")
    }

    /// The column's definition as it is.
    var definition: String { definition(type: type) }

    private func definition(type: String) -> String {
        var parts = [type]
        if let characterSet, let collation {
            parts.append("CHARACTER SET \(characterSet) COLLATE \(collation)")
        }
        parts.append(isNullable ? "NULL" : "NOT NULL")
        if let defaultExpression { parts.append("DEFAULT \(defaultExpression)") }
        if !comment.isEmpty { parts.append("COMMENT \(SQLText.quoted(comment))") }
        return parts.joined(separator: " ")
    }
}
