/// What decides how the server goes about a table: the server's own settings, and the table's facts.
struct TableSizes {
    /// A table with no more rows is written anew without asking: that takes about 0.2 s, less than any client
    /// waits for an answer.
    static let smallRowCountMax: Int64 = 10_000
    /// Bytes of a row with its share of the indexes, measured on the field's `backup_jobs`; for tables too
    /// small to tell.
    private static let rowByteCount: Int64 = 800

    let schema: SchemaReader
    /// Rows that tables are taken to have. nil: those that they have.
    let assumedRows: Int64?
    private let allowsInstantAdding: Bool
    private let allowsInstantDropping: Bool

    init(_ schema: SchemaReader, assumedRows: Int64? = nil) throws(DatabaseError) {
        self.schema = schema
        self.assumedRows = assumedRows
        // Absent before 10.5, where there was no way to forbid it.
        let setting = try schema.variable("innodb_instant_alter_column_allowed") ?? "add_drop_reorder"
        let version = schema.connection.serverVersion.split(separator: ".").prefix(2).map { Int($0) ?? 0 }
        func isAtLeast(_ minor: Int) -> Bool { version.lexicographicallyPrecedes([10, minor]) == false }
        allowsInstantAdding = setting != "never" && isAtLeast(3)
        allowsInstantDropping = setting == "add_drop_reorder" && isAtLeast(4)
    }

    /// The first of these ways that the server will take, as far as that can be known before.
    ///
    /// - Parameters:
    ///   - ways: lightest first.
    ///   - change: what the statement does to columns.
    ///   - table: the table; without one all is instant.
    /// - Returns: the way; the server has the last word.
    /// - Throws: `DatabaseError` where the table's facts cannot be read.
    func way(_ ways: [AlterWay], _ change: ColumnChange, of table: String) throws(DatabaseError) -> AlterWay {
        guard let facts = try schema.tableFacts(table) else { return ways[0] }
        let isPossible: (AlterWay) -> Bool = { way in
            switch way {
            case .copy: true
            case .rebuild: facts.isInnoDB && !facts.hasFulltext
            case .noCopy: facts.isInnoDB
            case .instant:
                switch change {
                case .none, .widen: true
                case .add: facts.isInnoDB && facts.takesInstantColumns && allowsInstantAdding
                case .drop: facts.isInnoDB && facts.takesInstantColumns && allowsInstantDropping
                }
            }
        }
        return ways.first(where: isPossible) ?? .copy
    }

    /// What it costs to alter a table in this way.
    func cost(
        of way: AlterWay,
        _ table: String,
        allowRebuild: Bool = false
    ) throws(DatabaseError) -> StatementCost {
        guard let facts = try schema.tableFacts(table) else { return .small(AlterWay.instant.words) }
        let rows = assumedRows ?? facts.rows
        let rowBytes = facts.rows >= 1000 ? max(1, facts.bytes / facts.rows) : Self.rowByteCount
        let bytes = assumedRows == nil ? facts.bytes : rows * rowBytes
        let isSmall = way.writesRows ? try isSmall(table) : true
        return StatementCost(
            words: "`\(table)`: \(way.words)",
            rows: rows,
            bytes: bytes,
            seconds: way.seconds(rows: rows, bytes: bytes),
            allowance: isSmall || allowRebuild ? nil : .rebuild
        )
    }

    /// Whether a table may be written anew without asking. Counts for itself: the server's estimate may be old.
    func isSmall(_ table: String) throws(DatabaseError) -> Bool {
        if let assumedRows { return assumedRows <= Self.smallRowCountMax }
        return try schema.rowCount(of: table, upTo: Self.smallRowCountMax + 1) <= Self.smallRowCountMax
    }
}

/// What an ALTER TABLE does to columns, as far as it matters for the way.
enum ColumnChange {
    case none, widen, add, drop
}
