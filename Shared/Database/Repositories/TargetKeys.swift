/// What the tables' keys are like that a batch is joined with.
struct TargetKeys {
    /// The index by which a job is found.
    let jobIndex: String
    /// The index by which a job's disks are found.
    let diskIndex: String
    /// A job's id looks the same in both tables, so that one column compares with both.
    let isOneForm: Bool

    /// How many columns hold a job's id.
    var idCount: Int { isOneForm ? 1 : 2 }

    /// The column that compares with the disks' job id.
    var diskID: String { isOneForm ? "id" : "disk_job_id" }

    /// What makes that column beside the job's id, in a list of a SELECT.
    var diskIDColumn: String {
        isOneForm ? "" : ", (SELECT backup_job_id FROM backup_disks LIMIT 0) AS disk_job_id"
    }

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
