/// What has to be known of a running job to merge its next plain progress without reading its rows.
///
/// It is as much as the rules look at for such a message, and no more, so that many jobs find room. Whoever merges
/// by it has to make sure, when storing, that the rows still are what is remembered.
public struct RememberedJob: Equatable, Sendable {
    /// One disk of it.
    public struct RememberedDisk: Equatable, Sendable {
        /// Bytes dealt with.
        public let bytes: Int64
        /// Bytes to deal with.
        public let total: Int64
        /// The disk's index in its job.
        public let index: Int32
        /// Progress in hundredths of a percent.
        public let percentHundredths: Int16
        /// What the disk is doing.
        public let status: DiskStatus

        /// Creates a disk from its parts.
        public init(bytes: Int64, total: Int64, index: Int32, percentHundredths: Int16, status: DiskStatus) {
            self.bytes = bytes
            self.total = total
            self.index = index
            self.percentHundredths = percentHundredths
            self.status = status
        }
    }

    /// Which run of the job this is.
    public let attempt: Int64
    /// The newest `seq` of the attempt; 0 if none.
    public let seq: Int64
    /// The newest order key of a client without `seq`. nil if none.
    public let clockKey: ClockKey?
    /// The disks by index, ascending; at least one.
    public let disks: [RememberedDisk]

    /// Creates what is remembered from its parts, as they were remembered.
    public init(attempt: Int64, seq: Int64, clockMilliseconds: Int64?, disks: [RememberedDisk]) {
        self.attempt = attempt
        self.seq = seq
        clockKey = clockMilliseconds.map { ClockKey(milliseconds: $0, rank: ClockKey.progressRank) }
        self.disks = disks
    }

    /// Remembers a job. nil where its next progress may depend on more than is remembered: unless it runs, has no error,
    /// a `seq` that a client may have sent, and disks whose totals are all known.
    public init?(_ job: borrowing Job) {
        guard job.status == .running, !job.isPresumed, job.errorMessage == nil, job.seq >= 0,
            job.clockKey.map({ $0.rank == ClockKey.progressRank }) ?? true, job.total > 0
        else { return nil }
        var disks: [RememberedDisk] = []
        disks.reserveCapacity(job.disks.count)
        var bytes: Int64 = 0
        // By place: a disk's texts would be copied with it.
        for place in job.disks.indices {
            guard let total = job.disks[place].total, job.disks[place].bytes >= 0,
                let percent = Int16(exactly: job.disks[place].percentHundredths), percent >= 0
            else { return nil }
            disks.append(
                RememberedDisk(
                    bytes: job.disks[place].bytes,
                    total: total,
                    index: job.disks[place].index,
                    percentHundredths: percent,
                    status: job.disks[place].status
                )
            )
            bytes = addingSaturated(bytes, job.disks[place].bytes)
        }
        // Whether a message brings news is told by the parent's sum, too.
        guard !disks.isEmpty, job.bytes == bytes else { return nil }
        attempt = job.attempt
        seq = job.seq
        clockKey = job.clockKey
        self.disks = disks
    }

    /// The job, with nothing in the places of what is not remembered.
    ///
    /// - Parameter id: its id, which is not remembered either.
    /// - Returns: the job; its sums are those of its disks.
    public func job(_ id: JobID) -> Job {
        var job = Job(
            id: id,
            vmName: "",
            backupType: .full,
            phase: "",
            hasTelemetry: true,
            attempt: attempt,
            seq: seq,
            clockKey: clockKey,
            disks: disks.map { disk in
                Disk(
                    index: disk.index,
                    status: disk.status,
                    bytes: disk.bytes,
                    total: disk.total,
                    percentHundredths: Int32(disk.percentHundredths)
                )
            }
        )
        job.aggregate(toldPercent: nil)
        return job
    }
}

extension RememberedJob {
    /// Merges reports into a remembered job, one after the other, as `Job.apply` does, as long as they are no more than
    /// plain progress.
    public struct Merge {
        private let before: RememberedJob
        private var leastSeq: Int64
        private var mostSeq: Int64
        private var isFirst = true
        /// The job after the reports so far. In the places of what is not remembered it holds what they have told,
        /// but for the VM's name, the type, change ids and errors, which stay as they are stored.
        public private(set) var job: Job

        /// Begins with the job as it is remembered.
        public init(_ before: RememberedJob, _ id: JobID) {
            self.before = before
            job = before.job(id)
            (leastSeq, mostSeq) = (before.seq, before.seq)
        }

        /// Merges one report more.
        ///
        /// - Parameter report: the next one of this job.
        /// - Returns: its answer. nil where the report is more than plain progress, or looks at what is not
        ///   remembered: then none of them counts.
        public mutating func take(_ report: Report) -> Answer? {
            guard report.isPlainProgress(beside: job.clockKey) else { return nil }
            // A client with `seq` names the order and its new place; an old one's answer tells the place that is stored.
            switch report.seq {
            case nil: (leastSeq, mostSeq) = (before.seq, before.seq)
            case let seq? where isFirst: (leastSeq, mostSeq) = (0, seq - 1)
            case _?: break
            }
            isFirst = false
            let effect = job.merge(report)
            guard effect.answer.verdict == .applied, effect.changes.isEmpty, effect.ignoredDiskCount == 0
            else { return nil }
            return effect.answer
        }

        /// What has come of the reports.
        ///
        /// - Returns: what is to be remembered, and the stored `seq`s from which it comes out so. nil where they have
        ///   changed more than progress.
        public func end() -> (after: RememberedJob, seqs: ClosedRange<Int64>)? {
            guard let after = RememberedJob(job), leastSeq <= mostSeq else { return nil }
            for (old, new) in zip(before.disks, after.disks) {
                // A disk's word and its end have columns of their own, another total a size, and fewer bytes no
                // bound below which what is stored makes no difference.
                guard old.total == new.total, old.status == new.status, old.bytes <= new.bytes else {
                    return nil
                }
            }
            return (after, leastSeq...mostSeq)
        }
    }
}

extension Report {
    /// Whether merging it into a running job asks for nothing that is not remembered of a job: its phase, speed, time
    /// to go and percentage. Of an old client only what has a time and is not the first, so that each is news and
    /// only the key's time changes.
    ///
    /// - Parameter stored: the job's newest order key of a client without `seq`.
    /// - Returns: false as well where it may end the job.
    fileprivate func isPlainProgress(beside stored: ClockKey?) -> Bool {
        guard error == nil, status == .running || status == .pending, !phase.isEmpty else { return false }
        guard seq == nil else { return true }
        // What it leaves open stays as it is stored; of two of one second bytes, phase and speed decide.
        guard speed ?? 0 > 0, etaSeconds ?? 0 > 0 else { return false }
        guard let stored, let key = ClockKey(self) else { return false }
        return key != stored
    }
}
