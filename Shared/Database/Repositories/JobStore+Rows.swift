internal import JobModel

// Changes of rows, each by its key: where there are no temporary tables, and for what is rare.
extension JobStore {
    /// All of the changes, where there is no better way.
    func updateRows(_ updates: [JobUpdate], _ disks: [DiskRow]) throws(DatabaseError) {
        try updateDisks(disks)
        try updateJobs(updates)
    }

    /// What the temporary tables have no columns for: texts without a bound, and what hardly ever changes.
    func describe(_ updates: [JobUpdate], _ disks: [DiskRow]) throws(DatabaseError) {
        let jobs = updates.filter(\.isDescribedAnew).map(\.job)
        if !jobs.isEmpty {
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

    private func updateJobs(_ updates: [JobUpdate]) throws(DatabaseError) {
        guard !updates.isEmpty else { return }
        let jobs = updates.map(\.job)
        let ages = updates.map(\.change.contactAgeMilliseconds)
        let micros = ages.map { $0.map { $0 * 1000 } }
        let historyStamps = updates.map { Int64?($0.historyStamp.rawValue) }
        try connection.prepare(Self.updateJob).executeBulk(
            [
                .texts(jobs.map(\.backupType.rawValue)), .texts(jobs.map(\.status.rawValue)),
                .texts(jobs.map(\.phase)), .ints(jobs.map(\.bytes)), .ints(jobs.map(\.total)),
                .ints(jobs.map(\.speed)), .ints(jobs.map { $0.etaSeconds.map(Int64.init) }),
                .ints(jobs.map { Int64($0.percentHundredths) }), .texts(jobs.map(\.errorMessage)),
                .ints(jobs.map { $0.isPresumed ? 1 : 0 }), .ints(jobs.map(\.attempt)), .ints(jobs.map(\.seq)),
                .ints(jobs.map { $0.clockKey?.milliseconds }),
                .ints(jobs.map { $0.clockKey.map { Int64($0.rank) } }),
                .ints(historyStamps), .ints(historyStamps),
                .ints(jobs.map { $0.hasTelemetry ? 1 : 0 }),
                .ints(ages), .ints(micros), .ints(micros), .ints(jobs.map { $0.hasTelemetry ? 1 : 0 }),
                .ints(ages), .ints(ages), .ints(ages), .texts(jobs.map(\.id.rawValue)),
            ],
            rowCount: jobs.count
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
