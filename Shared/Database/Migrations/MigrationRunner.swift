import Glibc

/// Runs planned statements one by one, each held to what it may cost.
struct MigrationRunner {
    /// How long an ALTER TABLE waits for other sessions to let go of a table, in seconds: all others queue
    /// behind it meanwhile. An ingest waits two seconds for a verdict.
    private static let tableWaitSeconds = 2
    /// The same for a statement that may have worked for minutes when it comes to that.
    private static let heavyTableWaitSeconds = 20
    /// How long all others have the table to themselves again before the next try.
    private static let tablePauseMicroseconds: UInt32 = 2_000_000
    private static let pauseMicroseconds: UInt32 = 100_000

    let connection: Connection
    let sizes: TableSizes
    let allowRebuild: Bool
    let deadline: ContinuousClock.Instant
    let report: (MigrationEvent) -> Void

    /// Runs a statement.
    /// - Parameters:
    ///   - statement: what to run.
    ///   - version: the migration that it belongs to.
    /// - Throws: `MigrationError`; the statement has done nothing then.
    func run(_ statement: PlannedStatement, version: Int) throws(MigrationError) {
        report(.begins(statement))
        let start = ContinuousClock.now
        var way: AlterWay?
        if case .alter(let table, let ways) = statement.action {
            way = try alter(statement, table, ways, version)
        } else {
            try run(statement.base, waitSeconds: Self.tableWaitSeconds, version)
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        report(.ended(statement, way: way, seconds: seconds))
    }

    /// Tries the ways from the lightest on, as far as the table's size allows.
    private func alter(
        _ statement: PlannedStatement,
        _ table: String,
        _ ways: [AlterWay],
        _ version: Int
    ) throws(MigrationError) -> AlterWay {
        for way in ways {
            let cost: StatementCost
            do throws(DatabaseError) {
                cost = try sizes.cost(of: way, table, allowRebuild: allowRebuild)
            } catch {
                throw .database(error)
            }
            guard cost.allowance == nil else { throw .notAllowed(statement: statement.sql(way), cost) }
            do {
                let waitSeconds = way.writesRows ? Self.heavyTableWaitSeconds : Self.tableWaitSeconds
                try run(statement.sql(way), waitSeconds: waitSeconds, version)
                return way
            } catch .step(_, _, let error) where AlterWay.isRefusal(error) && way != ways.last {
                continue
            }
        }
        preconditionFailure("the last way either ran or threw")
    }

    private func run(_ sql: String, waitSeconds: Int, _ version: Int) throws(MigrationError) {
        do throws(DatabaseError) {
            try connection.execute("SET SESSION lock_wait_timeout=\(waitSeconds)")
            while true {
                do throws(DatabaseError) {
                    try connection.execute(sql)
                    return
                } catch {
                    guard error.kind == .retry, ContinuousClock.now < deadline else { throw error }
                    // 1205: another session has the table, and others have queued up behind us.
                    usleep(error.code == 1205 ? Self.tablePauseMicroseconds : Self.pauseMicroseconds)
                }
            }
        } catch {
            throw .step(version: version, statement: sql, error)
        }
    }
}
