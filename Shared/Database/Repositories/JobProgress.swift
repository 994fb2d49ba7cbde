public import JobModel

/// Plain progress of jobs that are remembered, as the rules made it: row by row, as it goes through the temporary tables.
public struct JobProgress: Sendable {
    private(set) var rows: [Row] = []
    /// A row for each disk of the jobs, which come in the same order: all of them are to be compared.
    private(set) var disks: [DiskRow] = []
    /// Some of the jobs are told of, or have been, by a client without `seq`.
    private(set) var hasClocks = false

    /// What becomes of a job, and what its row has to be like.
    struct Row: Sendable {
        let id: String
        let phase: String
        let bytes: Int64
        let total: Int64
        let speed: Int64?
        let eta: Int64?
        let percentHundredths: Int64
        let attempt: Int64
        let seq: Int64
        let leastSeq: Int64
        let mostSeq: Int64
        let clockMilliseconds: Int64?
        let oldClockMilliseconds: Int64?
        /// Milliseconds since the newest sign of life.
        let age: Int64
        /// Where its history stands; once the progress is stored, where it stands then.
        fileprivate(set) var history: JobHistory
        /// Whether a point of the history is due; once that was looked for.
        fileprivate(set) var isPoint = false
    }

    /// What becomes of a disk, and what its row has to be like.
    struct DiskRow: Sendable {
        /// The job's number and the disk's index, as `ProgressStatements` has them.
        let key: Int64
        let percentHundredths: Int16
        /// What the row has to be like and what becomes of it, as `ProgressStatements` has it.
        let word: Int64
        let bytes: Int64
        let total: Int64
    }

    /// No progress yet.
    public init() {}

    /// How many jobs.
    public var count: Int { rows.count }

    /// Makes room for so many jobs, most of which have no more than two disks.
    public mutating func reserveCapacity(_ count: Int) {
        rows.reserveCapacity(count)
        disks.reserveCapacity(count * 2)
    }

    /// Adds a job.
    ///
    /// - Parameters:
    ///   - job: the job with what the reports have told. It comes behind all that are in, by its id.
    ///   - before: the job as it was remembered; its disks are the same.
    ///   - seqs: the stored `seq`s from which it comes out so.
    ///   - history: where its history stands.
    ///   - age: milliseconds since the newest sign of life.
    public mutating func append(
        _ job: borrowing Job,
        from before: borrowing RememberedJob,
        seqs: ClosedRange<Int64>,
        history: JobHistory,
        contactAgeMilliseconds age: Int64
    ) {
        let key = ProgressStatements.key(ofJob: rows.count)
        for place in before.disks.indices {
            let old = before.disks[place]
            let bytes = job.disks[place].bytes
            let percent = Int16(clamping: job.disks[place].percentHundredths)
            // A disk's bytes are the largest that were told, unless the total is another one. So where they grow, it
            // does not matter from which they do; they never shrink here.
            let isKept = old.bytes == bytes && old.percentHundredths == percent
            disks.append(
                DiskRow(
                    key: key + Int64(old.index),
                    percentHundredths: percent,
                    word: ProgressStatements.word(old.status) | (isKept ? ProgressStatements.isKept : 0)
                        | (bytes > old.bytes ? ProgressStatements.grows : 0),
                    bytes: bytes,
                    total: old.total
                )
            )
        }
        let row = Row(
            id: job.id.rawValue,
            phase: job.phase,
            bytes: job.bytes,
            total: job.total,
            speed: job.speed,
            eta: job.etaSeconds.map(Int64.init),
            percentHundredths: Int64(job.percentHundredths),
            attempt: before.attempt,
            seq: job.seq,
            leastSeq: seqs.lowerBound,
            mostSeq: seqs.upperBound,
            clockMilliseconds: job.clockKey?.milliseconds,
            oldClockMilliseconds: before.clockKey?.milliseconds,
            age: age,
            history: history
        )
        hasClocks =
            hasClocks || row.leastSeq != 0 || row.clockMilliseconds != nil || row.oldClockMilliseconds != nil
        rows.append(row)
    }

    /// The newest `seq` of a job once this is stored.
    public func seq(_ place: Int) -> Int64 { rows[place].seq }

    /// The time of the newest order key of a job's client without `seq` once this is stored.
    public func clockMilliseconds(_ place: Int) -> Int64? { rows[place].clockMilliseconds }

    /// When the newest point of a job's history was kept.
    public func historyMilliseconds(_ place: Int) -> Int64? { rows[place].history.lastMilliseconds }

    /// How far a disk is, the jobs' disks one after the other.
    public func disk(_ place: Int) -> (bytes: Int64, percentHundredths: Int16) {
        (disks[place].bytes, disks[place].percentHundredths)
    }

    /// Looks which jobs are to leave a point in the history: each brings numbers, so the time alone decides.
    mutating func lookForPoints(nowMilliseconds now: Int64) {
        for place in rows.indices {
            let history = rows[place].history
            rows[place].isPoint = HistoryRule.isDue(
                sinceLastMilliseconds: history.lastMilliseconds.map { now - $0 },
                runMilliseconds: history.startedMilliseconds.map { now - $0 } ?? 0,
                isEnd: false
            )
        }
    }

    /// The progress is stored.
    mutating func noteHistory(nowMilliseconds now: Int64) {
        for place in rows.indices where rows[place].isPoint { rows[place].history.lastMilliseconds = now }
    }

    /// The places of the jobs that leave a point.
    var points: [Int] { rows.indices.filter { rows[$0].isPoint } }

    func numbers(_ value: (borrowing Row) -> Int64) -> BulkColumn { .numbers(column(value)) }

    func ints(_ value: (borrowing Row) -> Int64?) -> BulkColumn { .ints(column(value)) }

    func texts(_ value: (borrowing Row) -> String?) -> BulkColumn { .texts(column(value)) }

    /// By place: copying a row for each column would cost more than all the rest of the writer does.
    @inline(__always)
    private func column<Value>(_ value: (borrowing Row) -> Value) -> [Value] {
        var column: [Value] = []
        column.reserveCapacity(rows.count)
        for place in rows.indices { column.append(value(rows[place])) }
        return column
    }
}
