extension Migrator {
    /// What `runDown` would do now. Changes nothing.
    /// - Parameters:
    ///   - assumedRows: rows that tables are taken to have. nil: those that they have.
    ///   - allowRebuild: whether large tables may be written anew.
    ///   - dropData: whether backups in tables that we created may go.
    /// - Returns: the statements in order, with their costs.
    /// - Throws: `MigrationError` where the database cannot be read, is newer than this program, or was migrated
    ///   before notes were kept.
    public func planDown(
        assumedRows: Int64? = nil,
        allowRebuild: Bool = false,
        dropData: Bool = false
    ) throws(MigrationError) -> MigrationPlan {
        let connection = try open()
        let (applied, statements) = try down(
            connection,
            assumedRows: assumedRows,
            allowRebuild: allowRebuild,
            dropData: dropData
        )
        return MigrationPlan(
            serverVersion: connection.serverVersion,
            place: settings.place,
            versionNow: applied.max() ?? 0,
            versionThen: 0,
            assumedRows: assumedRows,
            statements: statements
        )
    }

    /// Takes out all that migrations have added, and only that: what was there before them stays as it was.
    ///
    /// Where a statement would not be allowed nothing is run at all. No writer may be at work meanwhile: it
    /// answers `unavailable` once its columns are gone, and one that starts brings them back.
    /// - Parameters:
    ///   - timeoutSeconds: how long to wait for another service's claim, and for tables in use.
    ///   - allowRebuild: whether large tables may be written anew.
    ///   - dropData: whether backups in tables that we created may go.
    ///   - report: is told of each statement, before and after.
    /// - Returns: whether there was anything to take out.
    /// - Throws: `MigrationError`; what was done until then stands, and the next run goes on from there.
    @discardableResult
    public func runDown(
        timeoutSeconds: Int = 300,
        allowRebuild: Bool = false,
        dropData: Bool = false,
        report: @escaping (MigrationEvent) -> Void = { _ in }
    ) throws(MigrationError) -> Bool {
        let connection = try open()
        let patience = Patience(seconds: timeoutSeconds)
        func plan() throws(MigrationError) -> [PlannedStatement] {
            try down(connection, assumedRows: nil, allowRebuild: allowRebuild, dropData: dropData).statements
        }
        var hasWorked = false
        while true {
            let statements = try plan()
            guard !statements.isEmpty else { return hasWorked }
            if let refused = statements.first(where: { $0.cost.allowance != nil }) {
                throw .notAllowed(statement: refused.sql, refused.cost)
            }
            let runner = try runner(connection, allowRebuild, patience, report)
            try keepBooks(runner)
            guard try takeClaim(connection, patience) else { continue }
            try claim.kept(settings) { () throws(MigrationError) in
                defer { claim.release(connection) }
                for statement in try plan() {
                    let isOurs = try mapped { () throws(DatabaseError) in try claim.take(connection) }
                    guard isOurs else { return }
                    try runner.run(statement, version: 0)
                }
            }
            hasWorked = true
        }
    }

    private func down(
        _ connection: Connection,
        assumedRows: Int64?,
        allowRebuild: Bool,
        dropData: Bool
    ) throws(MigrationError) -> (applied: Set<Int>, statements: [PlannedStatement]) {
        let applied = try applied(connection)
        let planner = try mapped { () throws(DatabaseError) in
            try DownPlanner(
                SchemaReader(connection: connection),
                migrations,
                assumedRows: assumedRows,
                allowRebuild: allowRebuild,
                dropData: dropData
            )
        }
        return (applied, try planner.statements(applied: applied))
    }
}
