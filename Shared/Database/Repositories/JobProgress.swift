public import JobModel

/// Plain progress of jobs that are remembered, as the rules made it: column by column, as it goes through the temporary
/// tables. A job has many parts, and copying each for each column would cost more than all the rest of the writer does.
public struct JobProgress: Sendable {
    /// Where the jobs' histories stand; once the progress is stored, where they stand then.
    public private(set) var histories: [JobHistory] = []

    private(set) var ids: [String?] = []
    private(set) var phases: [String?] = []
    private(set) var bytes: [Int64] = []
    private(set) var totals: [Int64] = []
    private(set) var speeds: [Int64?] = []
    private(set) var etas: [Int64?] = []
    private(set) var percents: [Int64] = []
    private(set) var attempts: [Int64] = []
    private(set) var seqs: [Int64] = []
    private(set) var leastSeqs: [Int64] = []
    private(set) var mostSeqs: [Int64] = []
    private(set) var keys: [Int64?] = []
    private(set) var oldKeys: [Int64?] = []
    /// Milliseconds since the newest sign of life.
    private(set) var ages: [Int64] = []
    /// Whether a point of the history is due; once that was looked for.
    private(set) var isPoint: [Bool] = []
    private(set) var disks = DiskColumns()

    /// No progress yet.
    public init() {}

    /// How many jobs.
    public var count: Int { ids.count }

    /// Makes room for so many jobs, most of which have no more than two disks.
    public mutating func reserveCapacity(_ count: Int) {
        histories.reserveCapacity(count)
        for column in [\Self.ids, \.phases] { self[keyPath: column].reserveCapacity(count) }
        for column in [\Self.speeds, \.etas, \.keys, \.oldKeys] {
            self[keyPath: column].reserveCapacity(count)
        }
        for column in [
            \Self.bytes, \.totals, \.percents, \.attempts, \.seqs, \.leastSeqs, \.mostSeqs, \.ages,
        ] {
            self[keyPath: column].reserveCapacity(count)
        }
        disks.reserveCapacity(count * 2)
    }

    /// Adds a job.
    ///
    /// - Parameters:
    ///   - job: the job with what the reports have told. It comes behind all that are in, by its id.
    ///   - before: the job as it was remembered.
    ///   - after: the job as it is to be remembered.
    ///   - seqs: the stored `seq`s from which it comes out so.
    ///   - history: where its history stands.
    ///   - age: milliseconds since the newest sign of life.
    public mutating func append(
        _ job: borrowing Job,
        from before: RememberedJob,
        to after: RememberedJob,
        seqs: ClosedRange<Int64>,
        history: JobHistory,
        contactAgeMilliseconds age: Int64
    ) {
        disks.append(ordinal: Int64(ids.count), from: before, to: after)
        ids.append(job.id.rawValue)
        phases.append(job.phase)
        bytes.append(job.bytes)
        totals.append(job.total)
        speeds.append(job.speed)
        etas.append(job.etaSeconds.map(Int64.init))
        percents.append(Int64(job.percentHundredths))
        attempts.append(before.attempt)
        self.seqs.append(after.seq)
        leastSeqs.append(seqs.lowerBound)
        mostSeqs.append(seqs.upperBound)
        keys.append(after.clockKey?.milliseconds)
        oldKeys.append(before.clockKey?.milliseconds)
        ages.append(age)
        histories.append(history)
    }

    /// Looks which jobs are to leave a point in the history: each brings numbers, so the time alone decides.
    mutating func lookForPoints(nowMilliseconds now: Int64) {
        isPoint = histories.map { history in
            HistoryRule.isDue(
                sinceLastMilliseconds: history.lastMilliseconds.map { now - $0 },
                runMilliseconds: history.startedMilliseconds.map { now - $0 } ?? 0,
                isEnd: false
            )
        }
    }

    /// The progress is stored.
    mutating func noteHistory(nowMilliseconds now: Int64) {
        for place in isPoint.indices where isPoint[place] { histories[place].lastMilliseconds = now }
    }

    /// A row for each disk of the jobs: all of them are to be compared.
    struct DiskColumns: Sendable {
        /// Which of the jobs it belongs to.
        private(set) var ordinals: [Int64] = []
        private(set) var indices: [Int64] = []
        /// What the row has to be like and what becomes of it, as `ProgressStatements` has it.
        private(set) var modes: [Int64] = []
        private(set) var bytes: [Int64] = []
        private(set) var percents: [Int64] = []
        private(set) var totals: [Int64] = []

        var count: Int { ordinals.count }

        fileprivate mutating func reserveCapacity(_ count: Int) {
            for column in [\Self.ordinals, \.indices, \.modes, \.bytes, \.percents, \.totals] {
                self[keyPath: column].reserveCapacity(count)
            }
        }

        fileprivate mutating func append(ordinal: Int64, from before: RememberedJob, to after: RememberedJob)
        {
            for place in before.disks.indices {
                let (old, new) = (before.disks[place], after.disks[place])
                ordinals.append(ordinal)
                indices.append(Int64(new.index))
                // A disk's bytes are the largest that were told, unless the total is another one. So where they grow, it
                // does not matter from which they do; they never shrink here.
                modes.append(
                    ProgressStatements.word(old.status)
                        | (old == new ? ProgressStatements.isKept : 0)
                        | (new.bytes > old.bytes ? ProgressStatements.grows : 0)
                )
                bytes.append(new.bytes)
                percents.append(Int64(new.percentHundredths))
                totals.append(new.total)
            }
        }
    }
}
