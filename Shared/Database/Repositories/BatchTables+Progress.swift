extension BatchTables {
    /// Changes the rows of jobs that are remembered, and of their disks.
    ///
    /// - Parameters:
    ///   - progress: what the rules made of them, with the points of the history looked for.
    ///   - now: by the database's clock.
    /// - Returns: false if a job is not as it was remembered, or its disks are not.
    /// - Throws: `DatabaseError`.
    func update(_ progress: JobProgress, nowMilliseconds now: Int64) throws(DatabaseError) -> Bool {
        try fill(ProgressStatements.jobs)
        try insert(progress)
        let jobCount = try connection.prepare(progressSQL.updateJobs).execute(
            Array(repeating: .int(now), count: ProgressStatements.nowCount)
        )
        guard jobCount == progress.count else { return false }
        try fill(ProgressStatements.disks)
        try insert(progress.disks)
        do throws(DatabaseError) {
            return try connection.prepare(progressSQL.updateDisks).execute() == progress.disks.count
        } catch {
            guard error.code == ProgressStatements.unknownDiskCode else { throw error }
            return false
        }
    }

    private func insert(_ jobs: JobProgress) throws(DatabaseError) {
        let ids = jobs.texts { $0.id }
        var columns = [BulkColumn.numbers((0..<jobs.count).map { ProgressStatements.key(ofJob: $0) })]
        columns += Array(repeating: ids, count: keys.idCount)
        columns += [
            jobs.texts { $0.phase }, jobs.numbers { $0.bytes }, jobs.numbers { $0.total },
            jobs.ints { $0.speed }, jobs.ints { $0.eta },
            jobs.numbers { $0.percentHundredths | ($0.isPoint ? ProgressStatements.isPoint : 0) },
            jobs.numbers { $0.attempt }, jobs.numbers { $0.seq }, jobs.numbers { $0.mostSeq },
            jobs.ints { $0.history.lastMilliseconds }, jobs.numbers { $0.age },
        ]
        if jobs.hasClocks {
            columns += [
                jobs.numbers { $0.leastSeq }, jobs.ints { $0.clockMilliseconds },
                jobs.ints { $0.oldClockMilliseconds },
            ]
        }
        try connection.prepare(jobs.hasClocks ? progressSQL.insertJobsWithClocks : progressSQL.insertJobs)
            .executeBulk(columns, rowCount: jobs.count)
    }

    private func insert(_ disks: [JobProgress.DiskRow]) throws(DatabaseError) {
        try connection.prepare(progressSQL.insertDisks).executeBulk(
            [
                .numbers(disks.map(\.key)),
                .numbers(disks.map { $0.word | Int64($0.percentHundredths) }),
                .numbers(disks.map(\.bytes)), .numbers(disks.map(\.total)),
            ],
            rowCount: disks.count
        )
    }
}
