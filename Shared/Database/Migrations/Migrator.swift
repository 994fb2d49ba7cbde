import Glibc

/// Brings a database's schema up to date, safely with any number of services that try at once.
///
/// One of them holds the claim, a row that expires by the database's clock and is renewed meanwhile; the others
/// wait and look again. Should one lose it all the same and another service take over, both run statements that
/// do nothing where their work is done. Everything blocks: use a thread of your own.
public struct Migrator: Sendable {
    /// A server that has vanished without a word is noticed after a day: writing a large table anew takes hours.
    private static let readTimeoutSeconds: UInt32 = 86_400
    private static let pauseMicroseconds: UInt32 = 100_000

    let settings: DatabaseSettings
    let claim: MigrationClaim
    let migrations: [Migration]

    /// Creates a migrator.
    /// - Parameters:
    ///   - settings: the database; its user needs SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX and
    ///     REFERENCES there, and DROP for the way down.
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
        claim = MigrationClaim(owner: "\(owner.prefix(60))#\(UInt32.random(in: .min ... .max))")
        self.migrations = migrations
    }

    /// The migrations that the database has not seen, ascending. Changes nothing.
    public func pending() throws(MigrationError) -> [Migration] {
        try pending(try open())
    }

    /// What `run` would do now. Changes nothing.
    /// - Parameters:
    ///   - assumedRows: rows that tables are taken to have. nil: those that they have.
    ///   - allowRebuild: whether large tables may be written anew.
    /// - Returns: the statements in order, with their costs.
    /// - Throws: `MigrationError` where the database cannot be read, or is newer than this program.
    public func plan(
        assumedRows: Int64? = nil,
        allowRebuild: Bool = false
    ) throws(MigrationError) -> MigrationPlan {
        let connection = try open()
        let pending = try pending(connection)
        let statements = try mapped { () throws(DatabaseError) in
            try plan(pending, connection, assumedRows: assumedRows, allowRebuild: allowRebuild)
        }
        let known = migrations.last?.version ?? 0
        return MigrationPlan(
            serverVersion: connection.serverVersion,
            place: settings.place,
            versionNow: (pending.first?.version ?? known + 1) - 1,
            versionThen: known,
            assumedRows: assumedRows,
            statements: statements
        )
    }

    /// Runs what is pending. Where that would write a large table anew without leave, nothing is run at all.
    /// - Parameters:
    ///   - timeoutSeconds: how long to wait for another service's claim, and for tables in use.
    ///   - allowRebuild: whether large tables may be written anew.
    ///   - report: is told of each statement, before and after.
    /// - Returns: the migrations that this call has run; the others were there, or another service ran them.
    /// - Throws: `MigrationError`; what was done until then stands, and the next run goes on from there.
    @discardableResult
    public func run(
        timeoutSeconds: Int = 300,
        allowRebuild: Bool = false,
        report: @escaping (MigrationEvent) -> Void = { _ in }
    ) throws(MigrationError) -> [Migration] {
        let connection = try open()
        var done: [Migration] = []
        let patience = Patience(seconds: timeoutSeconds)
        // A service whose user may not create tables can still find that nothing is to be done.
        while let migration = try pending(connection).first {
            let runner = try runner(connection, allowRebuild, patience, report)
            try check(connection, allowRebuild: allowRebuild)
            try keepBooks(runner)
            guard try takeClaim(connection, patience) else { continue }
            let isOurs = try claim.kept(settings) { () throws(MigrationError) in
                defer { claim.release(connection) }
                // Another service may have run it between the look and the claim.
                guard try pending(connection).first?.version == migration.version else { return false }
                return try apply(migration, runner)
            }
            if isOurs { done.append(migration) }
        }
        return done
    }

    /// Runs the statements of one migration and notes it as applied.
    /// - Returns: false where the claim was lost on the way: another service goes on.
    private func apply(_ migration: Migration, _ runner: MigrationRunner) throws(MigrationError) -> Bool {
        let statements = try mapped { () throws(DatabaseError) in
            var planner = try UpPlanner(
                SchemaReader(connection: runner.connection),
                allowRebuild: runner.allowRebuild
            )
            return try planner.statements(migration)
        }
        var notes: [MigrationNote] = []
        for statement in statements {
            let isOurs = try mapped { () throws(DatabaseError) in try claim.take(runner.connection) }
            guard isOurs else { return false }
            do {
                try runner.run(statement, version: migration.version)
            } catch {
                strike(notes, runner.connection)
                throw error
            }
            if case .note(let new) = statement.action { notes = new } else { notes = [] }
        }
        return true
    }

    /// Strikes out the notes of a statement that the server has refused: it added nothing. Where the
    /// connection is gone nobody knows, and the notes stay.
    private func strike(_ notes: [MigrationNote], _ connection: Connection) {
        guard !notes.isEmpty, connection.isUsable else { return }
        _ = try? connection.execute(MigrationNote.deleting(notes))
    }

    /// Refuses a run of which a statement would not be allowed, before its first.
    private func check(_ connection: Connection, allowRebuild: Bool) throws(MigrationError) {
        let pending = try pending(connection)
        let statements = try mapped { () throws(DatabaseError) in
            try plan(pending, connection, assumedRows: nil, allowRebuild: allowRebuild)
        }
        guard let heavy = statements.first(where: { $0.cost.allowance != nil }) else { return }
        throw .notAllowed(statement: heavy.sql, heavy.cost)
    }

    private func plan(
        _ pending: [Migration],
        _ connection: Connection,
        assumedRows: Int64?,
        allowRebuild: Bool
    ) throws(DatabaseError) -> [PlannedStatement] {
        guard !pending.isEmpty else { return [] }
        let schema = SchemaReader(connection: connection)
        var planner = try UpPlanner(schema, assumedRows: assumedRows, allowRebuild: allowRebuild)
        var statements = try UpPlanner.books(schema)
        for migration in pending { statements += try planner.statements(migration) }
        return statements
    }
}

extension Migrator {
    func open() throws(MigrationError) -> Connection {
        try mapped { () throws(DatabaseError) in try Connection.open(settings) }
    }

    func runner(
        _ connection: Connection,
        _ allowRebuild: Bool,
        _ patience: Patience,
        _ report: @escaping (MigrationEvent) -> Void
    ) throws(MigrationError) -> MigrationRunner {
        let sizes = try mapped { () throws(DatabaseError) in
            try TableSizes(SchemaReader(connection: connection))
        }
        return MigrationRunner(
            connection: connection,
            sizes: sizes,
            allowRebuild: allowRebuild,
            deadline: patience.deadline,
            report: report
        )
    }

    /// Makes the tables in which we keep the books, where they are missing.
    func keepBooks(_ runner: MigrationRunner) throws(MigrationError) {
        let statements = try mapped { () throws(DatabaseError) in
            try UpPlanner.books(SchemaReader(connection: runner.connection))
        }
        for statement in statements { try runner.run(statement, version: 0) }
    }

    /// Waits for the claim.
    /// - Returns: false where another service has taken all of ours out meanwhile: it is time to look again.
    func takeClaim(_ connection: Connection, _ patience: Patience) throws(MigrationError) -> Bool {
        let holder: String
        do throws(DatabaseError) {
            repeat {
                do throws(DatabaseError) {
                    if try claim.take(connection) { return true }
                } catch {
                    guard error.kind == .retry else { throw error }
                }
                usleep(Self.pauseMicroseconds)
            } while ContinuousClock.now < patience.deadline
            holder = try claim.holder(connection)
        } catch {
            // 1146: no such table any more.
            guard error.code == 1146 else { throw .database(error) }
            return false
        }
        throw .claimed(owner: holder, waitedSeconds: patience.seconds)
    }

    /// The versions that have been applied.
    func applied(_ connection: Connection) throws(MigrationError) -> Set<Int> {
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
        return applied
    }

    func pending(_ connection: Connection) throws(MigrationError) -> [Migration] {
        let applied = try applied(connection)
        return migrations.filter { !applied.contains($0.version) }
    }

    func mapped<Result>(
        _ body: () throws(DatabaseError) -> Result
    ) throws(MigrationError) -> Result {
        do { return try body() } catch { throw .database(error) }
    }
}

/// How long a migrator waits for others.
struct Patience {
    let seconds: Int
    let deadline: ContinuousClock.Instant

    init(seconds: Int) {
        self.seconds = seconds
        deadline = .now + .seconds(seconds)
    }
}
