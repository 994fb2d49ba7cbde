public import JobModel

/// Reads all that is on record of a job.
public struct JobRecordStore {
    /// The most events of a record.
    public static let eventCountMax = 1000
    /// The most ids of a hint.
    public static let hintCountMax = 5

    private let connection: Connection

    /// The records behind a connection.
    public init(_ connection: Connection) {
        self.connection = connection
    }

    /// Reads a job's record.
    ///
    /// - Returns: nil if there is neither a row nor an event of it.
    /// - Throws: `DatabaseError`.
    public func record(_ id: JobID) throws(DatabaseError) -> JobRecord? {
        try connection.snapshot { () throws(DatabaseError) -> JobRecord? in
            let job = try AuditStore(connection).job(id)
            var record = JobRecord(id: id, nowMilliseconds: try now(), job: job)
            try readEvents(into: &record)
            guard let job else {
                record.foreignWord = try AuditStore(connection).foreignWord(id)
                return record.events.isEmpty && record.foreignWord == nil ? nil : record
            }
            try readTimes(into: &record)
            record.history = try history(id, attempt: job.job.attempt)
            return record
        }
    }

    private func now() throws(DatabaseError) -> Int64 {
        try connection.prepare("SELECT \(ServerClock.milliseconds)").query().first?.int(0) ?? 0
    }

    private func readTimes(into record: inout JobRecord) throws(DatabaseError) {
        let rows = try connection.prepare(
            """
            SELECT \(ServerClock.milliseconds), UNIX_TIMESTAMP(started_at) * 1000,
              UNIX_TIMESTAMP(completed_at) * 1000,
              IF(last_telemetry_at IS NULL, NULL, COALESCE(last_contact_ms,
                \(ServerClock.milliseconds) - TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()) * 1000))
            FROM backup_jobs WHERE id = ?
            """
        ).query([.text(record.id.rawValue)])
        guard let row = rows.first else { return }
        record.nowMilliseconds = try row.int(0)
        record.startedMilliseconds = try row.optionalInt(1)
        record.endedMilliseconds = try row.optionalInt(2)
        record.heardMilliseconds = try row.optionalInt(3)
    }

    private func readEvents(into record: inout JobRecord) throws(DatabaseError) {
        let id = Value.text(record.id.rawValue)
        let rows = try connection.prepare(
            """
            SELECT at_ms, attempt, from_status, to_status, cause, evidence FROM job_events
            WHERE job_id = ? ORDER BY id DESC LIMIT \(Self.eventCountMax)
            """
        ).query([id])
        for row in rows.reversed() {
            record.events.append(
                JobRecord.Event(
                    atMilliseconds: try row.int(0),
                    attempt: try row.int(1),
                    from: try row.optionalText(2),
                    to: try row.text(3),
                    cause: try row.text(4),
                    evidence: try row.text(5)
                )
            )
        }
        guard rows.count == Self.eventCountMax else { return }
        let counts = try connection.prepare("SELECT COUNT(*) FROM job_events WHERE job_id = ?").query([id])
        record.olderEventCount = (try counts.first?.int(0) ?? 0) - Int64(rows.count)
    }

    private func history(_ id: JobID, attempt: Int64) throws(DatabaseError) -> JobRecord.History? {
        let rows = try connection.prepare(
            """
            SELECT COUNT(*), MIN(at_ms), MAX(at_ms), MAX(transfer_speed_bps) FROM job_history
            WHERE job_id = ? AND attempt = ?
            """
        ).query([.text(id.rawValue), .int(attempt)])
        guard let row = rows.first, try row.int(0) > 0 else { return nil }
        return JobRecord.History(
            pointCount: try row.int(0),
            firstMilliseconds: try row.int(1),
            lastMilliseconds: try row.int(2),
            peakSpeed: try row.optionalInt(3)
        )
    }

    /// The ids that somebody may have meant: those that differ in letter case only, else those that begin with
    /// the text, else the newest of the VM that the text names, alone or as in `backup-<vm>-…`.
    ///
    /// - Parameter text: what was asked for.
    /// - Returns: at most `hintCountMax` ids, the newest first; none if nothing is like it.
    /// - Throws: `DatabaseError`.
    public func hints(for text: String) throws(DatabaseError) -> [String] {
        let order = "ORDER BY created_at DESC, id LIMIT \(Self.hintCountMax)"
        // Without regard to case, whatever the table's character set. LEFT and not LIKE: an id may hold a
        // percent sign or an underscore.
        let vmNames = "vm_name = ? OR LEFT(?, CHAR_LENGTH(vm_name) + 8) = CONCAT('backup-', vm_name, '-')"
        let looks = [
            "\(Self.folded("id")) = ?", "\(Self.folded("LEFT(id, CHAR_LENGTH(?))")) = ?", vmNames,
        ]
        for look in looks {
            let parameters = look.filter { $0 == "?" }.map { _ in Value.text(text) }
            let rows = try connection.prepare("SELECT id FROM backup_jobs WHERE \(look) \(order)")
                .query(parameters)
            if !rows.isEmpty { return try rows.map { row throws(DatabaseError) in try row.text(0) } }
        }
        return []
    }

    private static func folded(_ text: String) -> String {
        "CONVERT(\(text) USING utf8mb4) COLLATE utf8mb4_general_ci"
    }
}
