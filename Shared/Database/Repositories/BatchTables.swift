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
    func update(_ jobs: JobUpdates, _ disks: [DiskProgress]) throws(DatabaseError) -> Bool {
        guard jobs.count > 0 else { return true }
        let isAnyRemembered = jobs.places.contains { jobs.changes[$0].isRemembered }
        // Rows of MEMORY tables survive a rollback.
        try connection.execute("DELETE FROM \(BatchStatements.jobs)")
        try connection.execute("DELETE FROM \(BatchStatements.disks)")
        try insert(jobs)
        let jobCount = try connection.prepare(sql.updateJobs).execute()
        guard !isAnyRemembered || jobCount == jobs.count else { return false }
        guard !disks.isEmpty else { return true }
        try insert(disks)
        do throws(DatabaseError) {
            let diskCount = try connection.prepare(sql.updateDisks).execute()
            return !isAnyRemembered || diskCount == disks.count
        } catch {
            guard isAnyRemembered, error.code == BatchStatements.unknownDiskCode else { throw error }
            return false
        }
    }

    private func insert(_ jobs: JobUpdates) throws(DatabaseError) {
        let ids = jobs.texts { $0.after.id.rawValue }
        try connection.prepare(sql.insertJobs).executeBulk(
            [.ints((0..<jobs.count).map { Int64($0) })] + Array(repeating: ids, count: sql.idCount) + [
                jobs.texts { $0.after.status.rawValue }, jobs.texts { $0.after.phase },
                jobs.ints { $0.after.bytes }, jobs.ints { $0.after.total }, jobs.ints { $0.after.speed },
                jobs.ints { $0.after.etaSeconds.map(Int64.init) },
                jobs.ints { Int64($0.after.percentHundredths) }, jobs.ints { $0.after.isPresumed ? 1 : 0 },
                jobs.ints { $0.after.attempt }, jobs.ints { $0.after.seq },
                jobs.ints { $0.after.clockKey?.milliseconds },
                jobs.ints { $0.after.clockKey.map { Int64($0.rank) } },
                jobs.ints { $0.after.hasTelemetry ? 1 : 0 }, jobs.historyTimes,
                jobs.ints { $0.contactAgeMilliseconds.map { $0 * 1000 } },
                jobs.ints { $0.contactAgeMilliseconds }, jobs.ints { $0.isRemembered ? 1 : 0 },
                jobs.ints { $0.rememberedSeqs?.lowerBound }, jobs.ints { $0.rememberedSeqs?.upperBound },
                jobs.ints { $0.before?.clockKey?.milliseconds },
                jobs.ints { $0.before?.clockKey.map { Int64($0.rank) } },
                jobs.ints { $0.history.lastMilliseconds },
            ],
            rowCount: jobs.count
        )
    }

    private func insert(_ rows: [DiskProgress]) throws(DatabaseError) {
        try connection.prepare(sql.insertDisks).executeBulk(
            [
                .ints(rows.map { Int64($0.ordinal) }), .ints(rows.map { Int64($0.index) }),
                .texts(rows.map(\.status.rawValue)), .ints(rows.map(\.bytes)),
                .ints(rows.map { Int64($0.percentHundredths) }), .ints(rows.map { $0.isKept ? 1 : 0 }),
                .texts(rows.map(\.oldStatus.rawValue)), .ints(rows.map(\.leastBytes)),
                .ints(rows.map(\.mostBytes)), .ints(rows.map(\.total)),
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
