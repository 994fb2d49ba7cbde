package import Database

/// A job and its disks as one statement saw them.
package struct JobRow: Equatable {
    package struct Disk: Equatable {
        package var status: String
        package var bytes: Int64
        package var total: Int64
        package var percent: Double
        package var changeID: String?
    }

    package var status: String
    package var phase: String
    package var bytes: Int64
    package var total: Int64
    package var speed: Int64?
    package var etaSeconds: Int64?
    package var percent: Double
    package var error: String?
    package var attempt: Int64
    package var seq: Int64
    package var isPresumed: Bool
    package var isEnded: Bool
    /// `last_telemetry_at`, in the server's zone.
    package var lastTelemetryAt: String?
    /// Milliseconds since 1970 UTC.
    package var lastContact: Int64?
    /// The same by the database's clock, when the row was read.
    package var now: Int64
    /// Seconds since `last_telemetry_at`, as the guide's queries reckon.
    package var telemetryAge: Int64?
    package var disks: [Disk]

    /// Milliseconds since the last contact.
    package var silence: Int64 { now - (lastContact ?? now) }

    /// The sum over the disks.
    package var diskBytes: Int64 { disks.reduce(0) { $0 + $1.bytes } }

    /// The row without its times and without how far the sequence was read: what must be the same however the
    /// messages came.
    package var settled: JobRow {
        var row = self
        (row.lastTelemetryAt, row.lastContact, row.now, row.telemetryAge, row.seq) = (nil, nil, 0, nil, 0)
        return row
    }

    private static let statement = """
        SELECT j.status, j.current_phase, j.bytes_transferred, j.total_bytes, j.transfer_speed_bps,
          j.eta_seconds, CAST(j.progress_percent AS DOUBLE), j.error_message, j.attempt, j.telemetry_seq,
          j.presumed, j.completed_at IS NOT NULL, CAST(j.last_telemetry_at AS CHAR), j.last_contact_ms,
          \(ServerClock.milliseconds),
          d.disk_index, d.status, d.bytes_transferred, COALESCE(d.total_bytes, d.size_gb * 1073741824),
          CAST(d.progress_percent AS DOUBLE),
          d.disk_change_id, TIMESTAMPDIFF(SECOND, j.last_telemetry_at, NOW())
        FROM backup_jobs j LEFT JOIN backup_disks d ON d.backup_job_id = j.id
        WHERE j.id = ? ORDER BY d.disk_index
        """

    /// Reads a job. nil if there is none.
    package init?(_ connection: Connection, job id: String) throws {
        let rows = try connection.prepare(Self.statement).query([.text(id)])
        guard let row = rows.first else { return nil }
        status = try row.text(0)
        phase = try row.text(1)
        bytes = try row.int(2)
        total = try row.int(3)
        speed = try row.optionalInt(4)
        etaSeconds = try row.optionalInt(5)
        percent = try row.double(6)
        error = try row.optionalText(7)
        attempt = try row.int(8)
        seq = try row.int(9)
        isPresumed = try row.int(10) == 1
        isEnded = try row.int(11) == 1
        lastTelemetryAt = try row.optionalText(12)
        lastContact = try row.optionalInt(13)
        now = try row.int(14)
        telemetryAge = try row.optionalInt(21)
        disks = []
        for row in rows where !row.isNull(15) {
            disks.append(
                Disk(
                    status: try row.text(16),
                    bytes: try row.int(17),
                    total: try row.int(18),
                    percent: try row.double(19),
                    changeID: try row.optionalText(20)
                )
            )
        }
    }
}

extension Connection {
    /// A job that has to be there.
    package func job(_ id: String) throws -> JobRow {
        guard let row = try JobRow(self, job: id) else { throw EndToEndError("there is no job \(id)") }
        return row
    }

    /// The job's history: the status that each event led to, and its cause.
    package func events(_ id: String) throws -> [String] {
        try prepare("SELECT to_status, cause FROM job_events WHERE job_id = ? ORDER BY id")
            .query([.text(id)])
            .map { "\(try $0.text(0)) (\(try $0.text(1)))" }
    }

    /// When each status was reached, by the events: milliseconds since 1970 UTC.
    package func times(_ id: String, of status: String) throws -> [Int64] {
        try prepare("SELECT at_ms FROM job_events WHERE job_id = ? AND to_status = ? ORDER BY id")
            .query([.text(id), .text(status)])
            .map { try $0.int(0) }
    }

    /// Waits until a job is as wanted.
    ///
    /// - Throws: `EndToEndError` with the job as it was last, if it is not so within so many seconds.
    @discardableResult
    package func waitForJob(_ id: String, seconds: Double, _ condition: (JobRow) -> Bool) throws -> JobRow {
        var last: JobRow?
        let isSo = try eventually(seconds: seconds, everyMilliseconds: 20) {
            last = try JobRow(self, job: id)
            return last.map(condition) ?? false
        }
        guard isSo, let last else {
            throw EndToEndError("job \(id), after \(seconds) s: \(last.map { "\($0)" } ?? "not there")")
        }
        return last
    }
}
