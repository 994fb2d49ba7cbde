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
        try fill(ProgressStatements.disks)
        do throws(DatabaseError) {
            let counts = try connection.execute(pipelined: [
                insertion(progress), insertion(progress.disks),
                PipelinedStatement(
                    connection.prepare(progressSQL.updateJobs),
                    Array(repeating: .int(now), count: ProgressStatements.nowCount)
                ),
                PipelinedStatement(
                    connection.prepare(progressSQL.updateDisks),
                    [.int(Int64(progress.count))]
                ),
            ])
            return counts[2] == progress.count && counts[3] == progress.disks.count
        } catch {
            guard error.code == ProgressStatements.unknownDiskCode else { throw error }
            return false
        }
    }

    private func insertion(_ jobs: JobProgress) throws(DatabaseError) -> PipelinedStatement {
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
        let statement = try connection.prepare(
            jobs.hasClocks ? progressSQL.insertJobsWithClocks : progressSQL.insertJobs
        )
        return PipelinedStatement(statement, bulk: columns, rowCount: jobs.count)
    }

    private func insertion(_ disks: [JobProgress.DiskRow]) throws(DatabaseError) -> PipelinedStatement {
        PipelinedStatement(
            try connection.prepare(progressSQL.insertDisks),
            bulk: [
                .numbers(disks.map(\.key)),
                .numbers(disks.map { $0.word | Int64($0.percentHundredths) }),
                .numbers(disks.map(\.bytes)), .numbers(disks.map(\.total)),
            ],
            rowCount: disks.count
        )
    }
}
