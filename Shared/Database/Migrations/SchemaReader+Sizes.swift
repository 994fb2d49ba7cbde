extension SchemaReader {
    /// A table as far as it matters for what a change costs.
    struct TableFacts {
        /// The server's estimate.
        let rows: Int64
        /// With all indexes.
        let bytes: Int64
        let isInnoDB: Bool
        /// Adding and dropping columns without touching rows: not in compressed tables, nor beside an index
        /// over text.
        let takesInstantColumns: Bool
        let hasFulltext: Bool
    }

    /// The facts of a table. nil where there is none.
    func tableFacts(_ table: String) throws(DatabaseError) -> TableFacts? {
        // Each names schema and table by constants: else the server opens all tables of all its schemas.
        let sql = """
            SELECT TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH, ENGINE, ROW_FORMAT, \
            (SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() \
            AND TABLE_NAME = ? AND INDEX_TYPE = 'FULLTEXT') \
            FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?
            """
        guard let row = try connection.prepare(sql).query([.text(table), .text(table)]).first else {
            return nil
        }
        let hasFulltext = try row.int(4) > 0
        let isCompressed = try row.optionalText(3)?.lowercased() == "compressed"
        return TableFacts(
            rows: try row.optionalInt(0) ?? 0,
            bytes: try row.optionalInt(1) ?? 0,
            isInnoDB: try row.optionalText(2)?.lowercased() == "innodb",
            takesInstantColumns: !isCompressed && !hasFulltext,
            hasFulltext: hasFulltext
        )
    }

    /// The number of a table's rows, counted up to a limit.
    func rowCount(of table: String, upTo limit: Int64) throws(DatabaseError) -> Int64 {
        let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM `\(table)` LIMIT \(limit)) some"
        return try connection.query(sql)[0].int(0)
    }

    /// The number of rows with this value; reads the table.
    func rowCount(of table: String, where column: String, is value: String) throws(DatabaseError) -> Int64 {
        let sql = "SELECT COUNT(*) FROM `\(table)` WHERE `\(column)` = ?"
        return try connection.prepare(sql).query([.text(value)])[0].int(0)
    }

    /// A setting of the server. nil: this server has none of this name.
    func variable(_ name: String) throws(DatabaseError) -> String? {
        try connection.query("SHOW GLOBAL VARIABLES LIKE '\(name)'").first?.text(1)
    }

    /// The table's indexes that an index on these columns can stand in for, as SQL.
    ///
    /// MariaDB drops an index that it has made for a foreign key by itself once another one begins with the
    /// same columns.
    func indexes(of table: String, leading columns: [String]) throws(DatabaseError) -> [String] {
        let sql = """
            SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS \
            WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND NON_UNIQUE = 1 AND SUB_PART IS NULL \
            AND INDEX_TYPE = 'BTREE' ORDER BY INDEX_NAME, SEQ_IN_INDEX
            """
        var names: [String] = []
        var found: [String: [String]] = [:]
        for row in try connection.prepare(sql).query([.text(table)]) {
            let name = try row.text(0)
            if found[name] == nil { names.append(name) }
            found[name, default: []].append(try row.text(1))
        }
        let wanted = columns.map { $0.lowercased() }
        return names.compactMap { name in
            let own = found[name, default: []]
            guard wanted.starts(with: own.map { $0.lowercased() }) else { return nil }
            return "`\(name)` (\(own.map { "`\($0)`" }.joined(separator: ", ")))"
        }
    }

    /// Columns that take the time of any change by themselves.
    func columnsOnUpdate(of table: String) throws(DatabaseError) -> [String] {
        let sql = """
            SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
            AND TABLE_NAME = ? AND EXTRA LIKE '%on update%' ORDER BY ORDINAL_POSITION
            """
        var columns: [String] = []
        for row in try connection.prepare(sql).query([.text(table)]) { columns.append(try row.text(0)) }
        return columns
    }

    /// Tables with foreign keys to this one, as `database.table`; not the table itself.
    func tablesReferring(to table: String) throws(DatabaseError) -> [(database: String, table: String)] {
        let sql = """
            SELECT DISTINCT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_SCHEMA = DATABASE() \
            FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE UNIQUE_CONSTRAINT_SCHEMA = DATABASE() \
            AND REFERENCED_TABLE_NAME = ? AND NOT (CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = ?) \
            ORDER BY 1, 2
            """
        var tables: [(database: String, table: String)] = []
        for row in try connection.prepare(sql).query([.text(table), .text(table)]) {
            tables.append((try row.text(0), try row.text(1)))
        }
        return tables
    }
}
