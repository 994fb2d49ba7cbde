internal import JobModel

/// The columns of an adopted database's tables that we do not use: a hub may demand values for them.
struct HubColumns {
    /// One column that is not ours.
    struct Column {
        /// As the table spells it.
        let name: String
        /// As SQL, like `varchar(191)`.
        let type: String
        /// NOT NULL, and no value where none is given.
        let isRequired: Bool
    }

    /// By name in lower case, as MariaDB compares them.
    private(set) var ofJobs: [String: Column] = [:]
    /// By name in lower case.
    private(set) var ofDisks: [String: Column] = [:]
    /// Where a backup goes is ours to write, but not every client tells it. nil: nothing demands it.
    private(set) var requiredRepository: Column?

    /// Reads what the tables have now.
    init(_ connection: Connection) throws(DatabaseError) {
        let rows = try connection.query(
            """
            SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE,
              IS_NULLABLE = 'NO' AND COLUMN_DEFAULT IS NULL AND EXTRA NOT LIKE '%auto_increment%'
            FROM information_schema.COLUMNS
            WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('backup_jobs', 'backup_disks')
              AND EXTRA NOT LIKE '%GENERATED%'
            """
        )
        for row in rows {
            let column = Column(
                name: try row.text(1),
                type: try row.text(2),
                isRequired: try row.int(3) == 1
            )
            let key = column.name.lowercased()
            if try row.text(0) == "backup_jobs" {
                if key == "repository_id", column.isRequired { requiredRepository = column }
                if !Self.ours["backup_jobs", default: []].contains(key) { ofJobs[key] = column }
            } else if !Self.ours["backup_disks", default: []].contains(key) {
                ofDisks[key] = column
            }
        }
    }

    /// The values that a registration tells for the table of jobs, by the table's spelling; ascending.
    func jobValues(_ registration: Registration?) -> [(name: String, value: Value)] {
        Self.values(registration?.columns ?? [:], in: ofJobs)
    }

    /// The values for one disk's row: its own, else those that are told for the job.
    func diskValues(_ registration: Registration?, index: Int32) -> [(name: String, value: Value)] {
        let own = registration?.disks.first { $0.index == index }?.columns ?? [:]
        return Self.values((registration?.columns ?? [:]).merging(own) { $1 }, in: ofDisks)
    }

    /// The disks' columns that nobody told a value for but that their job's row may have one for; ascending.
    func inherited(_ told: [(name: String, value: Value)]) -> [String] {
        let toldNames = Set(told.map(\.name))
        return ofDisks.filter { key, column in
            column.isRequired && !toldNames.contains(column.name) && ofJobs[key] != nil
        }.map(\.value.name).sorted()
    }

    /// The columns that we use, by table: those that the migrations see to, and the keys.
    private static let ours: [String: Set<String>] = {
        var ours: [String: Set<String>] = [
            "backup_jobs": ["id"], "backup_disks": ["id", "backup_job_id", "disk_index"],
        ]
        for step in Migration.all.flatMap(\.steps) {
            if case .column(let column, let table, _) = step { ours[table]?.insert(column) }
        }
        return ours
    }()

    private static func values(
        _ told: [String: ColumnValue],
        in columns: [String: Column]
    ) -> [(name: String, value: Value)] {
        var values: [String: Value] = [:]
        for (name, value) in told {
            guard let column = columns[name.lowercased()] else { continue }
            values[column.name] =
                switch value {
                case .text(let text): .text(text)
                case .integer(let integer): .int(integer)
                }
        }
        return values.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    }
}
