import Glibc

/// Brings a database's schema up to date, safely with any number of services that try at once.
///
/// One of them holds the claim, a row that expires by the database's clock after 60 s and is renewed between
/// steps; the others wait and look again. Should a step outlast the claim and another service take over, both
/// run statements that do nothing where their work is done. Everything blocks: use a thread of your own.
public struct Migrator: Sendable {
    /// How long a claim holds without being renewed, in milliseconds.
    static let claimMilliseconds = 60_000
    /// How long a statement waits for other sessions to let go of a table, in seconds: all others queue
    /// behind it meanwhile. Less than the claim, so that the claim is renewed between tries.
    private static let tableWaitSeconds = 10
    /// Building an index over a large table takes its time.
    private static let readTimeoutSeconds: UInt32 = 3600
    private static let pauseMicroseconds: UInt32 = 100_000

    private let settings: DatabaseSettings
    private let owner: String
    private let migrations: [Migration]

    /// Creates a migrator.
    /// - Parameters:
    ///   - settings: the database; its user needs CREATE, ALTER, INDEX and REFERENCES there.
    ///   - owner: who is at work, for the messages of the others; 60 characters at most are kept.
    ///   - migrations: ascending versions, from 1 without gaps.
    public init(_ settings: DatabaseSettings, owner: String, migrations: [Migration] = Migration.all) {
        precondition(
            migrations.enumerated().allSatisfy { $0.offset + 1 == $0.element.version },
            "migrations must be numbered from 1 without gaps"
        )
        var settings = settings
        settings.readTimeoutSeconds = max(settings.readTimeoutSeconds, Self.readTimeoutSeconds)
        self.settings = settings
        // The number tells runs apart that call themselves the same.
        self.owner = "\(owner.prefix(60))#\(UInt32.random(in: .min ... .max))"
        self.migrations = migrations
    }

    /// The migrations that the database has not seen, ascending. Changes nothing.
    public func pending() throws(MigrationError) -> [Migration] {
        try pending(try open())
    }

    /// The statements that `run` would run now, in order. Changes nothing.
    public func plan() throws(MigrationError) -> [String] {
        let connection = try open()
        let schema = SchemaReader(connection: connection)
        var statements: [String] = []
        for migration in try pending(connection) {
            var createdTables: Set<String> = []
            for step in migration.steps {
                let statement = try mapped { () throws(DatabaseError) in
                    try step.statement(schema, createdTables: &createdTables)
                }
                if let statement { statements.append(statement) }
            }
        }
        return statements
    }

    /// Runs what is pending.
    /// - Parameters:
    ///   - timeoutSeconds: how long to wait for another service's claim, and for tables in use.
    ///   - report: is told each statement before it runs.
    /// - Returns: the migrations that this call has run; the others were there, or another service ran them.
    /// - Throws: `MigrationError`; what was done until then stands, and the next run goes on from there.
    @discardableResult
    public func run(
        timeoutSeconds: Int = 300,
        report: (String) -> Void = { _ in }
    ) throws(MigrationError) -> [Migration] {
        let connection = try open()
        // A service whose user may not create tables can still find that nothing is to be done.
        guard try !pending(connection).isEmpty else { return [] }
        let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
        try mapped { () throws(DatabaseError) in
            try connection.execute("SET SESSION lock_wait_timeout=\(Self.tableWaitSeconds)")
            for statement in Self.bookkeeping {
                try retrying(until: deadline) { () throws(DatabaseError) in try connection.execute(statement)
                }
            }
        }
        var done: [Migration] = []
        while let migration = try pending(connection).first {
            if try claim(connection, until: deadline) {
                defer { release(connection) }
                // Another service may have run it between the look and the claim.
                guard try pending(connection).first?.version == migration.version else { continue }
                if try apply(migration, connection, until: deadline, report: report) {
                    done.append(migration)
                }
            } else if ContinuousClock.now > deadline {
                let holder = try mapped { () throws(DatabaseError) in try claimHolder(connection) }
                throw .claimed(owner: holder, waitedSeconds: timeoutSeconds)
            } else {
                usleep(Self.pauseMicroseconds)
            }
        }
        return done
    }

    /// Runs the steps of one migration and notes it as applied.
    /// - Returns: false where the claim was lost on the way: another service goes on.
    private func apply(
        _ migration: Migration,
        _ connection: Connection,
        until deadline: ContinuousClock.Instant,
        report: (String) -> Void
    ) throws(MigrationError) -> Bool {
        let schema = SchemaReader(connection: connection)
        for step in migration.steps {
            guard try claim(connection, until: deadline) else { return false }
            // Every step is run, so the live schema tells all.
            var createdTables: Set<String> = []
            let statement = try mapped { () throws(DatabaseError) in
                try step.statement(schema, createdTables: &createdTables)
            }
            guard let statement else { continue }
            report(statement)
            do {
                try retrying(until: deadline) { () throws(DatabaseError) in
                    try renew(connection)
                    try connection.execute(statement)
                }
            } catch {
                throw .step(version: migration.version, statement: statement, error)
            }
        }
        try mapped { () throws(DatabaseError) in
            _ = try connection.prepare("INSERT IGNORE INTO sendense_migrations (version, name) VALUES (?, ?)")
                .execute([.int(Int64(migration.version)), .text(migration.name)])
        }
        return true
    }

    private func open() throws(MigrationError) -> Connection {
        try mapped { () throws(DatabaseError) in try Connection.open(settings) }
    }

    private func pending(_ connection: Connection) throws(MigrationError) -> [Migration] {
        let applied = try mapped { () throws(DatabaseError) -> Set<Int> in
            guard try SchemaReader(connection: connection).hasTable("sendense_migrations") else { return [] }
            var versions: Set<Int> = []
            for row in try connection.query("SELECT version FROM sendense_migrations") {
                versions.insert(Int(try row.int(0)))
            }
            return versions
        }
        let known = migrations.last?.version ?? 0
        if let newest = applied.max(), newest > known {
            throw .newerThanKnown(stored: newest, known: known)
        }
        return migrations.filter { !applied.contains($0.version) }
    }

    private func mapped<Result>(
        _ body: () throws(DatabaseError) -> Result
    ) throws(MigrationError) -> Result {
        do { return try body() } catch { throw .database(error) }
    }

    /// Repeats what lost against another transaction or waits for a table in use.
    private func retrying(
        until deadline: ContinuousClock.Instant,
        _ body: () throws(DatabaseError) -> Void
    ) throws(DatabaseError) {
        while true {
            do {
                return try body()
            } catch {
                guard error.kind == .retry, ContinuousClock.now < deadline else { throw error }
                usleep(Self.pauseMicroseconds)
            }
        }
    }
}

extension Migrator {
    private static let bookkeeping = [
        """
        CREATE TABLE IF NOT EXISTS sendense_migrations (
          version int NOT NULL PRIMARY KEY,
          name varchar(100) NOT NULL,
          applied_at timestamp NOT NULL DEFAULT current_timestamp()
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS sendense_migration_claim (
          id tinyint NOT NULL PRIMARY KEY,
          owner varchar(100) NULL,
          expires_at_ms bigint NOT NULL DEFAULT 0
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
        """,
        "INSERT IGNORE INTO sendense_migration_claim (id) VALUES (1)",
    ]

    /// Takes the claim, or renews it where it is ours.
    /// - Returns: whether it is ours now.
    private func claim(
        _ connection: Connection,
        until deadline: ContinuousClock.Instant
    ) throws(MigrationError) -> Bool {
        // A claim further ahead than any can be set was written before the server's clock stepped back.
        let sql = """
            UPDATE sendense_migration_claim \
            SET owner = ?, expires_at_ms = \(ServerClock.milliseconds) + \(Self.claimMilliseconds) \
            WHERE id = 1 AND (owner IS NULL OR owner = ? OR expires_at_ms <= \(ServerClock.milliseconds) \
            OR expires_at_ms > \(ServerClock.milliseconds) + \(Self.claimMilliseconds))
            """
        var isOurs = false
        try mapped { () throws(DatabaseError) in
            try retrying(until: deadline) { () throws(DatabaseError) in
                isOurs = try connection.prepare(sql).execute([.text(owner), .text(owner)]) == 1
            }
        }
        return isOurs
    }

    /// Keeps the claim alive while a statement waits for a table in use.
    private func renew(_ connection: Connection) throws(DatabaseError) {
        let sql = """
            UPDATE sendense_migration_claim \
            SET expires_at_ms = \(ServerClock.milliseconds) + \(Self.claimMilliseconds) \
            WHERE id = 1 AND owner = ?
            """
        try connection.prepare(sql).execute([.text(owner)])
    }

    /// Lets go of the claim. What cannot be released expires.
    private func release(_ connection: Connection) {
        guard connection.isUsable else { return }
        let sql =
            "UPDATE sendense_migration_claim SET owner = NULL, expires_at_ms = 0 WHERE id = 1 AND owner = ?"
        _ = try? connection.prepare(sql).execute([.text(owner)])
    }

    private func claimHolder(_ connection: Connection) throws(DatabaseError) -> String {
        let rows = try connection.query("SELECT owner FROM sendense_migration_claim WHERE id = 1")
        return try rows.first?.optionalText(0) ?? "another service"
    }
}
