public import JobModel

/// Reads jobs for an audit, each as it was at one instant, and mends them.
public struct AuditStore {
    /// One row as it was read.
    public enum Entry: Equatable, Sendable {
        case job(AuditedJob)
        /// The row's id, as it is stored; its id, type or status is none that we know.
        case unreadable(String, ForeignWord?)
    }

    /// Some rows in the order of their ids.
    public struct Page: Sendable {
        /// The rows.
        public var entries: [Entry]
        /// Where the next page begins. nil: this was the last one.
        public var next: String?
    }

    /// What a repair of one job came to.
    public struct Repair: Equatable, Sendable {
        /// The breaches that were mended.
        public var mended: [Breach]
        /// Those that stay.
        public var left: [Breach]
    }

    /// The most rows of a page.
    public static let pageRowCount = 500

    let connection: Connection

    /// The jobs behind a connection.
    public init(_ connection: Connection) {
        self.connection = connection
    }

    /// Reads the next rows. They are of one instant, so a job that changes meanwhile is seen before or after
    /// its change, never halfway.
    ///
    /// - Parameter id: where the page before ended; "" for the first one.
    /// - Returns: at most `pageRowCount` rows.
    /// - Throws: `DatabaseError`.
    public func page(after id: String) throws(DatabaseError) -> Page {
        try connection.snapshot { () throws(DatabaseError) -> Page in
            let rows = try connection.prepare(
                Self.jobs + " WHERE id > ? ORDER BY id LIMIT \(Self.pageRowCount)"
            ).query([.text(id)])
            let isLast = rows.count < Self.pageRowCount
            return Page(entries: try entries(rows), next: isLast ? nil : try rows.last?.text(0))
        }
    }

    /// Reads one job.
    ///
    /// - Returns: nil if there is none, or if it cannot be read.
    /// - Throws: `DatabaseError`.
    public func job(_ id: JobID) throws(DatabaseError) -> AuditedJob? {
        let rows = try connection.prepare(Self.jobs + " WHERE id = ?").query([.text(id.rawValue)])
        for case .job(let job) in try entries(rows) where job.job.id == id { return job }
        return nil
    }

    /// What keeps a job's row from being judged.
    ///
    /// - Returns: nil if there is none, or if it can be judged.
    /// - Throws: `DatabaseError`.
    public func foreignWord(_ id: JobID) throws(DatabaseError) -> ForeignWord? {
        let rows = try connection.prepare(Self.jobs + " WHERE id = ?").query([.text(id.rawValue)])
        for row in rows where try row.text(0) == id.rawValue { return try ForeignWord(row) }
        return nil
    }

    /// Mends what the job's own rows prove, under lock, and keeps an event that tells what was and what is.
    ///
    /// - Returns: nil if the job is gone. Nothing to mend is no error: somebody else has mended it.
    /// - Throws: `DatabaseError`; nothing was changed then. Also where the rows, read again before the commit,
    ///   are not what they were to become.
    public func repair(_ id: JobID) throws(DatabaseError) -> Repair? {
        try connection.transaction { () throws(DatabaseError) -> Repair? in
            try lock(id)
            guard let stored = try job(id) else { return nil }
            let audit = stored.audit()
            guard let event = audit.repairEvent else { return Repair(mended: [], left: audit.breaches) }
            try mend(stored, audit.mended)
            let left = try job(id)?.audit().breaches ?? []
            guard left == audit.breaches.filter({ !$0.isMendable }) else { throw Self.hasNotTaken }
            try connection.prepare(JobEvents.insert).execute([
                .text(id.rawValue), .int(event.attempt), Value(event.from?.rawValue),
                .text(event.to.rawValue), .text(event.cause.rawValue), .text(event.evidence),
            ])
            return Repair(mended: audit.mendable, left: left)
        }
    }

    private static var hasNotTaken: DatabaseError {
        DatabaseError(
            code: 0,
            sqlState: "HY000",
            message: "the rows did not take the repair; a trigger may be in the way",
            operation: "repairing a job"
        )
    }

    private func entries(_ rows: [Row]) throws(DatabaseError) -> [Entry] {
        let jobs = try rows.map { row throws(DatabaseError) in try Self.job(row) }
        let disks = try disks(of: jobs.compactMap { $0?.job.id.rawValue })
        let newest = try rows.map { row throws(DatabaseError) in try row.optionalInt(21) }
        let changes = try changes(newest.compactMap(\.self))
        var entries: [Entry] = []
        entries.reserveCapacity(rows.count)
        for (index, row) in rows.enumerated() {
            guard var job = jobs[index] else {
                entries.append(.unreadable(try row.text(0), try ForeignWord(row)))
                continue
            }
            for disk in disks[job.job.id] ?? [] {
                job.job.disks.append(disk.disk)
                if disk.isExact { job.exactDisks.insert(disk.disk.index) }
            }
            job.newestChange = newest[index].flatMap { changes[$0] }
            job.isOurs = job.isOurs || job.newestChange != nil
            entries.append(.job(job))
        }
        return entries
    }

    private func disks(
        of ids: [String]
    ) throws(DatabaseError) -> [JobID: [(disk: Disk, isExact: Bool)]] {
        guard !ids.isEmpty else { return [:] }
        let values = Self.padded(ids.map(Value.text))
        var disks: [JobID: [(disk: Disk, isExact: Bool)]] = [:]
        for row in try connection.prepare(Self.disks(values.count)).query(values) {
            guard let id = JobID(try row.text(0)) else { continue }
            disks[id, default: []].append((try JobStore.disk(row), try row.int(8) != 0))
        }
        return disks
    }

    private func changes(_ ids: [Int64]) throws(DatabaseError) -> [Int64: AuditedJob.Change] {
        guard !ids.isEmpty else { return [:] }
        let values = Self.padded(ids.map(Value.int))
        var changes: [Int64: AuditedJob.Change] = [:]
        for row in try connection.prepare(Self.changes(values.count)).query(values) {
            changes[try row.int(0)] = AuditedJob.Change(
                to: try row.text(3),
                cause: try row.text(4),
                attempt: try row.int(1),
                atMilliseconds: try row.int(2)
            )
        }
        return changes
    }

    /// The last value repeated up to one of two counts, so that few statements are prepared.
    private static func padded(_ values: [Value]) -> [Value] {
        guard let last = values.last else { return values }
        let count = values.count == 1 ? 1 : pageRowCount
        return values + Array(repeating: last, count: count - values.count)
    }
}
