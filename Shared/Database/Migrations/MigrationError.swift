/// Why the schema could not be brought up to date.
public enum MigrationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The database could not be reached or its bookkeeping not be read.
    case database(DatabaseError)
    /// A step was refused. What it did stands; the next run repeats it harmlessly.
    case step(version: Int, statement: String, DatabaseError)
    /// A newer version of the program has been here: its tables are not ours to judge.
    case newerThanKnown(stored: Int, known: Int)
    /// Another service holds the claim and has not finished in time.
    case claimed(owner: String, waitedSeconds: Int)

    /// The error in a sentence, with the remedy.
    public var description: String {
        switch self {
        case .database(let error):
            "the migrations could not run: \(error)"
        case .step(let version, let statement, let error):
            "migration \(version) failed at \(statement.prefix(200)): \(error)"
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
        }
    }
}
