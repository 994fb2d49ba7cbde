internal import JobModel

// Changes of rows, each by its key: where there are no temporary tables, and for what is rare.
extension JobStore {
    /// All of the changes, where there is no better way.
    func updateRows(_ updates: JobUpdates, _ disks: [DiskRow]) throws(DatabaseError) {
        try updateDisks(disks)
        try updateJobs(updates)
    }

    /// What the temporary tables have no columns for: texts without a bound, and what hardly ever changes.
    func describe(_ updates: JobUpdates, _ disks: [DiskRow]) throws(DatabaseError) {
        let places = updates.places.filter { updates.changes[$0].isDescribedAnew }
        if !places.isEmpty {
            let jobs = places.map { updates.changes[$0].after }
            try connection.prepare("UPDATE backup_jobs SET backup_type = ?, error_message = ? WHERE id = ?")
                .executeBulk(
                    [
                        .texts(jobs.map(\.backupType.rawValue)), .texts(jobs.map(\.errorMessage)),
                        .texts(jobs.map(\.id.rawValue)),
                    ],
                    rowCount: jobs.count
                )
        }
        try updateDisks(disks.filter(\.isDescribedAnew))
    }

    private func updateJobs(_ updates: JobUpdates) throws(DatabaseError) {
        guard updates.count > 0 else { return }
        let ages = updates.ints { $0.contactAgeMilliseconds }
        let micros = updates.ints { $0.contactAgeMilliseconds.map { $0 * 1000 } }
        let hasTelemetry = updates.ints { $0.after.hasTelemetry ? 1 : 0 }
        let historyStamps = updates.historyStamps
        try connection.prepare(Self.updateJob).executeBulk(
            [
                updates.texts { $0.after.backupType.rawValue }, updates.texts { $0.after.status.rawValue },
                updates.texts { $0.after.phase }, updates.ints { $0.after.bytes },
                updates.ints { $0.after.total }, updates.ints { $0.after.speed },
                updates.ints { $0.after.etaSeconds.map(Int64.init) },
                updates.ints { Int64($0.after.percentHundredths) }, updates.texts { $0.after.errorMessage },
                updates.ints { $0.after.isPresumed ? 1 : 0 }, updates.ints { $0.after.attempt },
                updates.ints { $0.after.seq }, updates.ints { $0.after.clockKey?.milliseconds },
                updates.ints { $0.after.clockKey.map { Int64($0.rank) } }, historyStamps, historyStamps,
                hasTelemetry, ages, micros, micros, hasTelemetry, ages, ages, ages,
                updates.texts { $0.after.id.rawValue },
            ],
            rowCount: updates.count
        )
    }

    private func updateDisks(_ rows: [DiskRow]) throws(DatabaseError) {
        guard !rows.isEmpty else { return }
        try connection.prepare(Self.updateDisk).executeBulk(
            [
                .ints(rows.map { $0.isTotalNew ? 1 : 0 }), .ints(rows.map { Self.gibibytes($0.disk.total) }),
                .ints(rows.map { $0.isTotalNew ? 1 : 0 }), .ints(rows.map(\.disk.total)),
                .texts(rows.map(\.disk.status.rawValue)), .ints(rows.map(\.disk.bytes)),
                .ints(rows.map { Int64($0.disk.percentHundredths) }), .texts(rows.map(\.disk.changeID)),
                .texts(rows.map(\.disk.errorMessage)), .texts(rows.map(\.jobID)),
                .ints(rows.map { Int64($0.disk.index) }),
            ],
            rowCount: rows.count
        )
    }
}
