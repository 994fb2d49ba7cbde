internal import JobModel

/// Temporary tables of one connection, through which a batch changes its rows in two statements.
///
/// A row of these costs the server a fifteenth of what a statement by key does, so a batch is stored three times as
/// fast. They go with their connection. Their columns are made like those that they are compared with and written
/// to, so that the comparison finds its index in any adopted database.
public final class BatchTables {
    /// The most rows of disks; beyond that rows are changed by their keys.
    public static let diskCountMax = 8192

    /// From so many ids on a join costs less than a list of them.
    static let lockCountMin = 9

    let connection: Connection
    let keys: TargetKeys
    let progressSQL: ProgressStatements
    private let sql: BatchStatements
    /// Tables with rows of transactions that are over: rows of MEMORY tables survive a rollback, too.
    private var filled: Set<String> = []

    /// Makes the tables, outside of a transaction.
    ///
    /// - Throws: `DatabaseError`; of kind `accessDenied` where the user may not make temporary tables.
    public init(_ connection: Connection) throws(DatabaseError) {
        self.connection = connection
        keys = try TargetKeys(connection)
        sql = BatchStatements(keys)
        progressSQL = ProgressStatements(keys)
        // A server may be set to less than these tables take.
        try connection.execute("SET SESSION max_heap_table_size = 16777216")
        for statement in sql.creation + progressSQL.creation { try connection.execute(statement) }
    }

    /// Whether they belong to this connection.
    public func belong(to other: Connection) -> Bool { connection === other }

    /// Reads jobs and their disks and locks their rows until the transaction ends.
    ///
    /// - Parameter ids: each once, ascending.
    /// - Returns: the rows as `JobStore.job` and `JobStore.disk` read them; the disks of a job by index.
    /// - Throws: `DatabaseError`.
    func lock(_ ids: [JobID]) throws(DatabaseError) -> (jobs: [Row], disks: [Row]) {
        try fill(BatchStatements.ids)
        try connection.prepare(sql.insertIDs).executeBulk(
            Array(repeating: .texts(ids.map(\.rawValue)), count: keys.idCount),
            rowCount: ids.count
        )
        return (
            try connection.prepare(sql.lockJobs).query(), try connection.prepare(sql.lockDisks).query()
        )
    }

    /// Changes the rows of jobs and disks that were read under lock.
    ///
    /// - Parameters:
    ///   - jobs: ascending by id.
    ///   - disks: of those jobs, by ordinal.
    /// - Throws: `DatabaseError`.
    func update(_ jobs: JobUpdates, _ disks: [DiskProgress]) throws(DatabaseError) {
        guard jobs.count > 0 else { return }
        try fill(BatchStatements.jobs)
        try insert(jobs)
        try connection.prepare(sql.updateJobs).execute()
        guard !disks.isEmpty else { return }
        try fill(BatchStatements.disks)
        try insert(disks)
        try connection.prepare(sql.updateDisks).execute()
    }

    /// The statements that take out what transactions before have left, for the beginning of the next one: it need not do
    /// that one by one.
    public var emptying: [String] { filled.sorted().map(Self.emptying) }

    /// Those statements have been run.
    public func wereEmptied() { filled = [] }

    /// Makes a table empty that is about to be filled.
    func fill(_ table: String) throws(DatabaseError) {
        if filled.contains(table) { try connection.execute(Self.emptying(table)) }
        filled.insert(table)
    }

    private static func emptying(_ table: String) -> String {
        // Not TRUNCATE, which makes the table anew.
        "DELETE FROM \(table)"
    }

    private func insert(_ jobs: JobUpdates) throws(DatabaseError) {
        let ids = jobs.texts { $0.after.id.rawValue }
        try connection.prepare(sql.insertJobs).executeBulk(
            [.ints((0..<jobs.count).map { Int64($0) })] + Array(repeating: ids, count: keys.idCount) + [
                jobs.texts { $0.after.status.rawValue }, jobs.texts { $0.after.phase },
                jobs.ints { $0.after.bytes }, jobs.ints { $0.after.total }, jobs.ints { $0.after.speed },
                jobs.ints { $0.after.etaSeconds.map(Int64.init) },
                jobs.ints { Int64($0.after.percentHundredths) }, jobs.ints { $0.after.isPresumed ? 1 : 0 },
                jobs.ints { $0.after.attempt }, jobs.ints { $0.after.seq },
                jobs.ints { $0.after.clockKey?.milliseconds },
                jobs.ints { $0.after.clockKey.map { Int64($0.rank) } },
                jobs.ints { $0.after.hasTelemetry ? 1 : 0 }, jobs.historyTimes,
                jobs.ints { $0.contactAgeMilliseconds.map { $0 * 1000 } },
                jobs.ints { $0.contactAgeMilliseconds },
            ],
            rowCount: jobs.count
        )
    }

    private func insert(_ rows: [DiskProgress]) throws(DatabaseError) {
        try connection.prepare(sql.insertDisks).executeBulk(
            [
                .ints(rows.map { Int64($0.ordinal) }), .ints(rows.map { Int64($0.index) }),
                .texts(rows.map(\.status.rawValue)), .ints(rows.map(\.bytes)),
                .ints(rows.map { Int64($0.percentHundredths) }),
            ],
            rowCount: rows.count
        )
    }
}
