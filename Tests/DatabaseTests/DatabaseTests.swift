import Database
import TestSupport
import Testing

/// All of this target's suites: they share servers, and run one after another on a small machine.
@Suite(.serialized, .timeLimit(.minutes(5)))
enum DatabaseTests {
    /// A connection to a new database with one table of every type in use.
    static func openSample() throws -> Connection {
        let connection = try Connection.open(PrivateMariaDB.shared().createDatabase())
        try connection.execute(
            """
            CREATE TABLE sample (
              id int NOT NULL PRIMARY KEY,
              big bigint NULL,
              huge bigint unsigned NULL,
              ratio double NULL,
              price decimal(5,2) NULL,
              label varchar(255) CHARACTER SET utf8mb4 NULL,
              story mediumtext CHARACTER SET utf8mb4 NULL,
              raw mediumblob NULL,
              moment datetime NULL,
              flag tinyint(1) NULL
            ) ENGINE=InnoDB
            """
        )
        return connection
    }

    /// Where a connection's database is, for another connection.
    static func currentSettings(of connection: Connection) throws -> DatabaseSettings {
        let database = try connection.query("SELECT DATABASE()")[0].text(0)
        return try PrivateMariaDB.shared().settings.using(database: database)
    }

    /// A text of so many bytes with characters of one to four bytes.
    static func text(byteCount: Int, _ generator: inout SplitMix64) -> String {
        let alphabet = ["a", "é", "€", "😀", "'", "\\", "\0", "\n", "?", "z"]
        var text = ""
        while text.utf8.count < byteCount {
            text += alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
        }
        return text
    }

    /// The error that `body` throws, which must be a `DatabaseError`.
    static func error(_ body: () throws -> Void) throws -> DatabaseError {
        try #require(throws: DatabaseError.self) { try body() }
    }
}
