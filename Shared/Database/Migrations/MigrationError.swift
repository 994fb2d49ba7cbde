/// Why the schema could not be brought up to date, or taken back.
public enum MigrationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The database could not be reached or its bookkeeping not be read.
    case database(DatabaseError)
    /// A statement was refused; version 0: one of the bookkeeping, or of the way down. What was done before it
    /// stands; the next run goes on from there.
    case step(version: Int, statement: String, DatabaseError)
    /// A newer version of the program has been here: its tables are not ours to judge.
    case newerThanKnown(stored: Int, known: Int)
    /// Another service holds the claim and has not finished in time.
    case claimed(owner: String, waitedSeconds: Int)
    /// A statement costs more than it is allowed to; it has not run.
    case notAllowed(statement: String, StatementCost)
    /// These versions ran without notes of what they added.
    case unnoted(versions: [Int])
    /// Rows have a value that was not there before us, and that has no other word.
    case valueInUse(table: String, column: String, value: String, rows: Int64)
    /// A table of ours cannot go: another one refers to its rows.
    case referred(table: String, by: String)

    /// Whether it is only for somebody to allow it.
    public var isAllowance: Bool {
        if case .notAllowed = self { return true }
        return false
    }

    /// The error in a sentence, with the remedy.
    public var description: String {
        switch self {
        case .database(let error):
            "the migrations could not run: \(error)\(Self.rights(error))"
        case .step(let version, let statement, let error):
            """
            \(version == 0 ? "the migrations" : "migration \(version)") failed at \(Self.short(statement)): \
            \(error)\(Self.rights(error))\(Self.patience(error))
            """
        case .newerThanKnown(let stored, let known):
            """
            the database is at schema version \(stored), this program knows \(known) at most; \
            install a version of the program that knows \(stored)
            """
        case .claimed(let owner, let waitedSeconds):
            """
            \(owner) has been migrating for longer than \(waitedSeconds) s; look at its log and at the \
            server's process list, then start again
            """
        case .notAllowed(let statement, let cost):
            Self.notAllowed(statement, cost)
        case .unnoted(let versions):
            """
            schema version \(versions.map(String.init).joined(separator: ", ")) was applied by a program that \
            kept no notes of what it added, so what is ours cannot be told from what was there; leave it, or \
            take it out by hand (docs/operations.md, Migrations, lists it all)
            """
        case .valueInUse(let table, let column, let value, let rows):
            """
            \(rows) rows of `\(table)` have \(column) '\(value)', which was not there before us; give them \
            another one, then start again
            """
        case .referred(let table, let other):
            """
            `\(table)` is ours, but a foreign key of `\(other)` refers to it; drop that key, or leave the tables \
            as they are
            """
        }
    }

    private static func notAllowed(_ statement: String, _ cost: StatementCost) -> String {
        let facts = "\(cost.lines.joined(separator: "; ")): \(short(statement))"
        guard cost.allowance == .rebuild else {
            return "nothing was dropped: \(facts). Run it with --drop-data once those backups may go"
        }
        return """
            not run, since it would hold up a large table: \(facts). Run it in a quiet hour with \
            --allow-rebuild, or run the statements that --dry-run prints by hand
            """
    }

    /// A statement on one line, as far as a log needs it.
    private static func short(_ statement: String) -> String {
        String(statement.split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(300))
    }

    /// Who to ask, where a table never became free.
    private static func patience(_ error: DatabaseError) -> String {
        guard error.code == 1205 else { return "" }
        return """
             (a transaction of another session has the table in use: SHOW PROCESSLIST and \
            information_schema.INNODB_TRX show the longest)
            """
    }

    /// All that the user needs, where it lacks one of them: the server names that one.
    private static func rights(_ error: DatabaseError) -> String {
        guard [1044, 1142, 1143, 1227].contains(error.code) else { return "" }
        return """
             The migrations need SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX and REFERENCES, and \
            unmigrate DROP too; a user that has them can run them once by `sendense-writer migrate`.
            """
    }
}
