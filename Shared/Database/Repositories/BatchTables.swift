internal import JobModel

/// Temporary tables of one connection, through which a batch changes its rows in two statements.
///
/// A row of these costs the server a fifteenth of what a statement by key does, so a batch is stored three times as
/// fast. They go with their connection. Their columns are made like those that they are compared with and written
/// to, so that the comparison finds its index in any adopted database.
public final class BatchTables {
    /// The most rows of disks; beyond that rows are changed by their keys.
    public static let diskCountMax = 8192

    private let connection: Connection
    private let sql: BatchStatements

    /// Makes the tables, outside of a transaction.
    ///
    /// - Throws: `DatabaseError`; of kind `accessDenied` where the user may not make temporary tables.
    public init(_ connection: Connection) throws(DatabaseError) {
        self.connection = connection
        let keys = try TargetKeys(connection)
        sql = BatchStatements(keys)
        // A server may be set to less than these tables take.
        try connection.execute("SET SESSION max_heap_table_size = 16777216")
        for statement in sql.creation { try connection.execute(statement) }
    }

    /// Whether they belong to this connection.
    public func belong(to other: Connection) -> Bool { connection === other }

    /// Changes the rows of jobs and disks.
    ///
    /// - Parameters:
    ///   - jobs: ascending by id.
    ///   - disks: of those jobs, by ordinal.
    /// - Returns: false if a job that is remembered is not as it was remembered, or its disks are not.
    /// - Throws: `DatabaseError`.
    func update(_ jobs: [JobUpdate], _ disks: [DiskRow]) throws(DatabaseError) -> Bool {
        guard !jobs.isEmpty else { return true }
        let isAnyRemembered = jobs.contains { $0.change.isRemembered }
        // Rows of MEMORY tables survive a rollback.
        try connection.execute("DELETE FROM \(BatchStatements.jobs)")
        try connection.execute("DELETE FROM \(BatchStatements.disks)")
        try insert(jobs)
        let jobCount = try connection.prepare(sql.updateJobs).execute()
        guard !isAnyRemembered || jobCount == jobs.count else { return false }
        guard !disks.isEmpty else { return true }
        try insert(disks, jobs)
        do throws(DatabaseError) {
            let diskCount = try connection.prepare(sql.updateDisks).execute()
            return !isAnyRemembered || diskCount == disks.count
        } catch {
            guard isAnyRemembered, error.code == BatchStatements.unknownDiskCode else { throw error }
            return false
        }
    }

    private func insert(_ updates: [JobUpdate]) throws(DatabaseError) {
        let jobs = updates.map(\.job)
        let ids = BulkColumn.texts(jobs.map(\.id.rawValue))
        let ages = updates.map(\.change.contactAgeMilliseconds)
        try connection.prepare(sql.insertJobs).executeBulk(
            [.ints(jobs.indices.map { Int64($0) })] + Array(repeating: ids, count: sql.idCount) + [
                .texts(jobs.map(\.status.rawValue)), .texts(jobs.map(\.phase)), .ints(jobs.map(\.bytes)),
                .ints(jobs.map(\.total)), .ints(jobs.map(\.speed)),
                .ints(jobs.map { $0.etaSeconds.map(Int64.init) }),
                .ints(jobs.map { Int64($0.percentHundredths) }), .ints(jobs.map { $0.isPresumed ? 1 : 0 }),
                .ints(jobs.map(\.attempt)), .ints(jobs.map(\.seq)),
                .ints(jobs.map { $0.clockKey?.milliseconds }),
                .ints(jobs.map { $0.clockKey.map { Int64($0.rank) } }),
                .ints(jobs.map { $0.hasTelemetry ? 1 : 0 }),
                .ints(updates.map { Int64($0.historyStamp.rawValue) }),
                .ints(ages.map { $0.map { $0 * 1000 } }), .ints(ages),
                .ints(updates.map { $0.change.isRemembered ? 1 : 0 }),
                .ints(updates.map { $0.change.rememberedSeqs?.lowerBound }),
                .ints(updates.map { $0.change.rememberedSeqs?.upperBound }),
                .ints(updates.map { $0.change.before?.clockKey?.milliseconds }),
                .ints(updates.map { $0.change.before?.clockKey.map { Int64($0.rank) } }),
            ],
            rowCount: jobs.count
        )
    }

    private func insert(_ rows: [DiskRow], _ jobs: [JobUpdate]) throws(DatabaseError) {
        try connection.prepare(sql.insertDisks).executeBulk(
            [
                .ints(rows.map { Int64($0.ordinal) }), .ints(rows.map { Int64($0.disk.index) }),
                .texts(rows.map(\.disk.status.rawValue)), .ints(rows.map(\.disk.bytes)),
                .ints(rows.map { Int64($0.disk.percentHundredths) }),
                .ints(rows.map { jobs[$0.ordinal].change.isRemembered && $0.before == $0.disk ? 1 : 0 }),
                .texts(rows.map { $0.before?.status.rawValue }), .ints(rows.map(\.leastBytes)),
                .ints(rows.map(\.mostBytes)), .ints(rows.map { $0.before?.total }),
            ],
            rowCount: rows.count
        )
    }
}

/// What the tables' keys are like that a batch is joined with.
struct TargetKeys {
    /// The index by which a job is found.
    let jobIndex: String
    /// The index by which a job's disks are found.
    let diskIndex: String
    /// A job's id looks the same in both tables, so that one column compares with both.
    let isOneForm: Bool

    init(_ connection: Connection) throws(DatabaseError) {
        jobIndex = try Self.index(connection, "backup_jobs", "id")
        diskIndex = try Self.index(connection, "backup_disks", "backup_job_id")
        let forms = try connection.query(
            """
            SELECT COUNT(DISTINCT COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME)
            FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
              AND (TABLE_NAME, COLUMN_NAME) IN (('backup_jobs', 'id'), ('backup_disks', 'backup_job_id'))
            """
        )
        isOneForm = try forms.first?.int(0) == 1
    }

    /// The best index that begins with a column. Without its name the server may find it cheaper to walk, and lock,
    /// a small table.
    private static func index(
        _ connection: Connection,
        _ table: String,
        _ column: String
    ) throws(DatabaseError) -> String {
        let rows = try connection.prepare(
            """
            SELECT INDEX_NAME FROM information_schema.STATISTICS
            WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = ? AND SEQ_IN_INDEX = 1
            ORDER BY NON_UNIQUE, INDEX_NAME <> 'PRIMARY', INDEX_NAME LIMIT 1
            """
        ).query([.text(table), .text(column)])
        guard let name = try rows.first?.text(0) else {
            throw DatabaseError(
                code: 0,
                sqlState: "HY000",
                message: "no index of \(table) begins with \(column)",
                operation: "making the temporary tables"
            )
        }
        return name
    }
}
