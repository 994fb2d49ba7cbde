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
        let disks = progress.disks
        do throws(DatabaseError) {
            let counts = try connection.execute(pipelined: [
                PipelinedStatement(
                    connection.prepare(progressSQL.insertJobs),
                    bulk: columns(progress, now),
                    rowCount: progress.count
                ),
                PipelinedStatement(
                    connection.prepare(progressSQL.insertDisks),
                    bulk: columns(disks),
                    rowCount: disks.count
                ),
                PipelinedStatement(connection.prepare(progressSQL.updateJobs), [.int(now)]),
                PipelinedStatement(
                    connection.prepare(progressSQL.updateDisks),
                    [.int(Int64(progress.count))]
                ),
            ])
            return counts[2] == progress.count && counts[3] == disks.count
        } catch {
            guard error.code == ProgressStatements.unknownDiskCode else { throw error }
            return false
        }
    }

    private func columns(_ jobs: JobProgress, _ now: Int64) -> [BulkColumn] {
        let histories = jobs.histories
        let times = jobs.isPoint.indices.map { jobs.isPoint[$0] ? now : histories[$0].lastMilliseconds }
        return [.numbers((0..<jobs.count).map { Int64($0) })]
            + Array(repeating: .texts(jobs.ids), count: keys.idCount) + [
                .texts(jobs.phases), .numbers(jobs.bytes), .numbers(jobs.totals), .ints(jobs.speeds),
                .ints(jobs.etas), .numbers(jobs.percents), .numbers(jobs.attempts), .numbers(jobs.seqs),
                .numbers(jobs.leastSeqs), .numbers(jobs.mostSeqs), .ints(jobs.keys), .ints(jobs.oldKeys),
                .ints(times), .ints(histories.map(\.lastMilliseconds)),
                .numbers(jobs.ages.map { $0 * 1000 }),
                .numbers(jobs.ages.map { now - $0 }),
            ]
    }

    private func columns(_ disks: JobProgress.DiskColumns) -> [BulkColumn] {
        [
            .numbers(disks.ordinals), .numbers(disks.indices), .numbers(disks.modes),
            .numbers(disks.bytes), .numbers(disks.percents), .numbers(disks.totals),
        ]
    }
}
