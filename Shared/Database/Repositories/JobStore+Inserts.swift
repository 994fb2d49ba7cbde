internal import JobModel

// Rows that come and go.
extension JobStore {
    func insert(
        _ change: JobChange,
        _ hub: HubColumns?,
        historyMilliseconds: Int64?
    ) throws(DatabaseError) {
        let job = change.after
        let hubValues = hub?.jobValues(change.registration) ?? []
        try connection.prepare(
            """
            INSERT INTO backup_jobs (id, vm_name, repository_id, backup_type, status, current_phase,
              bytes_transferred, total_bytes, transfer_speed_bps, eta_seconds, progress_percent, attempt,
              telemetry_seq, telemetry_key_ms, telemetry_key_rank, error_message, presumed, started_at,
              last_telemetry_at, last_contact_ms, history_ms\(Self.names(hubValues)))
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? / 100, ?, ?, ?, ?, ?, 0, NOW(),
              IF(?, NOW(3) - INTERVAL ? MICROSECOND, NULL), IF(?, \(ServerClock.milliseconds) - ?, NULL),
              ?\(String(repeating: ", ?", count: hubValues.count)))
            """
        ).execute(
            [
                .text(job.id.rawValue), .text(job.vmName), Value(change.registration?.repositoryID),
                .text(job.backupType.rawValue), .text(job.status.rawValue), .text(job.phase),
                .int(job.bytes), .int(job.total), Value(job.speed), Value(job.etaSeconds.map(Int64.init)),
                .int(Int64(job.percentHundredths)), .int(job.attempt), .int(job.seq),
                Value(job.clockKey?.milliseconds), Value(job.clockKey.map { Int64($0.rank) }),
                Value(job.errorMessage),
                .int(change.contactAgeMilliseconds == nil ? 0 : 1),
                .int((change.contactAgeMilliseconds ?? 0) * 1000),
                .int(change.contactAgeMilliseconds == nil ? 0 : 1),
                .int(change.contactAgeMilliseconds ?? 0), Value(historyMilliseconds),
            ] + hubValues.map(\.value)
        )
    }

    func insertDisks(_ disks: DiskRows, _ hub: HubColumns?) throws(DatabaseError) {
        var plain: [DiskRow] = []
        for row in disks.inserts {
            let told = hub?.diskValues(row.registration, index: row.disk.index) ?? []
            let inherited = hub?.inherited(told) ?? []
            if told.isEmpty, inherited.isEmpty {
                plain.append(row)
            } else {
                try insert(row, told, inheriting: inherited)
            }
        }
        try insertDisks(plain)
    }

    func deleteDisks(_ gone: [(jobID: String, index: Int32)]) throws(DatabaseError) {
        for disk in gone {
            try connection.prepare("DELETE FROM backup_disks WHERE backup_job_id = ? AND disk_index = ?")
                .execute([.text(disk.jobID), .int(Int64(disk.index))])
        }
    }

    private func insertDisks(_ rows: [DiskRow]) throws(DatabaseError) {
        guard !rows.isEmpty else { return }
        try connection.prepare(
            """
            INSERT INTO backup_disks (backup_job_id, disk_index, size_gb, total_bytes, status,
              bytes_transferred, progress_percent, disk_change_id, error_message)
            VALUES (?, ?, ?, ?, ?, ?, ? / 100, ?, ?)
            """
        ).executeBulk(
            [
                .texts(rows.map(\.jobID)), .ints(rows.map { Int64($0.disk.index) }),
                .ints(rows.map { Self.gibibytes($0.disk.total) }), .ints(rows.map(\.disk.total)),
                .texts(rows.map(\.disk.status.rawValue)), .ints(rows.map(\.disk.bytes)),
                .ints(rows.map { Int64($0.disk.percentHundredths) }), .texts(rows.map(\.disk.changeID)),
                .texts(rows.map(\.disk.errorMessage)),
            ],
            rowCount: rows.count
        )
    }

    /// One disk's row in a hub's table, which demands more than we use.
    private func insert(
        _ row: DiskRow,
        _ told: [(name: String, value: Value)],
        inheriting inherited: [String]
    ) throws(DatabaseError) {
        let fromJob = inherited.map { ", (SELECT `\($0)` FROM backup_jobs WHERE id = ?)" }.joined()
        try connection.prepare(
            """
            INSERT INTO backup_disks (backup_job_id, disk_index, size_gb, total_bytes, status,
              bytes_transferred, progress_percent, disk_change_id, error_message\
            \(Self.names(told))\(inherited.map { ", `\($0)`" }.joined()))
            VALUES (?, ?, ?, ?, ?, ?, ? / 100, ?, ?\
            \(String(repeating: ", ?", count: told.count))\(fromJob))
            """
        ).execute(
            [
                .text(row.jobID), .int(Int64(row.disk.index)), .int(Self.gibibytes(row.disk.total)),
                Value(row.disk.total), .text(row.disk.status.rawValue), .int(row.disk.bytes),
                .int(Int64(row.disk.percentHundredths)), Value(row.disk.changeID),
                Value(row.disk.errorMessage),
            ] + told.map(\.value) + inherited.map { _ in .text(row.jobID) }
        )
    }

    /// Columns to append to a list of columns.
    private static func names(_ values: [(name: String, value: Value)]) -> String {
        values.map { ", `\($0.name)`" }.joined()
    }

    func insertEvents(_ changes: [JobChange]) throws(DatabaseError) {
        let events = changes.indices.filter { !changes[$0].events.isEmpty }.flatMap { place in
            changes[place].events.map { (changes[place].after.id.rawValue, $0) }
        }
        guard !events.isEmpty else { return }
        try connection.prepare(JobEvents.insert).executeBulk(
            [
                .texts(events.map(\.0)), .ints(events.map(\.1.attempt)),
                .texts(events.map { $0.1.from?.rawValue }), .texts(events.map(\.1.to.rawValue)),
                .texts(events.map(\.1.cause.rawValue)), .texts(events.map(\.1.evidence)),
            ],
            rowCount: events.count
        )
    }

    func insertHistory(
        _ changes: [JobChange],
        _ places: [Int],
        _ progress: JobProgress
    ) throws(DatabaseError) {
        let more = progress.points
        guard !places.isEmpty || !more.isEmpty else { return }
        // The server need not look for the jobs: each is locked, or its row is counted by the UPDATE that follows.
        try connection.prepare(
            """
            SET STATEMENT foreign_key_checks = 0 FOR
            INSERT INTO job_history (job_id, attempt, at_ms, bytes_transferred, transfer_speed_bps)
            VALUES (?, ?, \(ServerClock.milliseconds), ?, ?)
            ON DUPLICATE KEY UPDATE bytes_transferred = VALUES(bytes_transferred),
              transfer_speed_bps = VALUES(transfer_speed_bps)
            """
        ).executeBulk(
            [
                .texts(places.map { changes[$0].after.id.rawValue } + more.map { progress.rows[$0].id }),
                .ints(places.map { changes[$0].after.attempt } + more.map { progress.rows[$0].attempt }),
                .ints(places.map { changes[$0].after.bytes } + more.map { progress.rows[$0].bytes }),
                .ints(places.map { changes[$0].after.speed } + more.map { progress.rows[$0].speed }),
            ],
            rowCount: places.count + more.count
        )
    }
}
