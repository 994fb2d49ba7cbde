/// What a migrator would do now, and what that costs.
public struct MigrationPlan: Sendable, Equatable {
    /// The server's version.
    public let serverVersion: String
    /// The user, the server and the database.
    public let place: String
    /// The schema's version before; 0: never migrated.
    public let versionNow: Int
    /// The schema's version afterwards.
    public let versionThen: Int
    /// Rows that tables are taken to have. nil: those that they have.
    public let assumedRows: Int64?
    /// The statements, in order; empty where nothing is to be done.
    public let statements: [PlannedStatement]

    /// Whether a statement waits for somebody to allow it.
    public var needsAllowance: Bool { statements.contains { $0.cost.allowance != nil } }

    /// The plan as SQL that a server would take, with all else in comments.
    public var text: String {
        var lines = [
            "-- database: \(place)",
            "-- server: \(serverVersion)",
            "-- schema version: \(versionNow) now, \(versionThen) then",
        ]
        guard !statements.isEmpty else { return (lines + ["-- nothing to do"]).joined(separator: "\n") }
        if let assumedRows { lines.append("-- tables are taken to have \(assumedRows) rows") }
        lines.append("-- nothing is changed now; row counts are the server's estimates")
        lines.append("-- times are rough: measured on a machine with 2 cores and a local disk")
        for (index, statement) in statements.enumerated() {
            lines += [
                "", "-- \(index + 1). \(statement.cost.lines.joined(separator: "; "))", statement.sql + ";",
            ]
        }
        let seconds = statements.reduce(0) { $0 + $1.cost.seconds }
        lines += ["", "-- \(statements.count) statements, \(StatementCost.time(seconds))"]
        if needsAllowance { lines.append("-- not all of it is allowed: see \"waits for\" above") }
        return lines.joined(separator: "\n")
    }
}
