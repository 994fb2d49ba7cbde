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

    /// Remembers a job. nil where its next progress may depend on more than is remembered: unless it runs, has been
    /// heard of, has no error, a `seq` that a client may have sent, and disks whose totals are all known.
    public init?(_ job: Job) {
        guard job.status == .running, job.hasTelemetry, !job.isPresumed, job.errorMessage == nil,
            job.seq >= 0,
            job.clockKey.map({ $0.rank == ClockKey.progressRank }) ?? true, job.total > 0
        else { return nil }
        var disks: [RememberedDisk] = []
        disks.reserveCapacity(job.disks.count)
        for disk in job.disks {
            guard let total = disk.total, disk.bytes >= 0,
                let percent = Int16(exactly: disk.percentHundredths), percent >= 0
            else { return nil }
            disks.append(
                RememberedDisk(
                    bytes: disk.bytes,
                    total: total,
                    index: disk.index,
                    percentHundredths: percent,
                    status: disk.status
                )
            )
        }
        // Whether a message brings news is told by the parent's sum, too.
        guard !disks.isEmpty, job.bytes == disks.reduce(0, { addingSaturated($0, $1.bytes) }) else {
            return nil
        }
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

    /// Merges reports of the job, one after the other, as `Job.apply` does.
    ///
    /// - Parameters:
    ///   - reports: all of one job, in the order of their arrival; at least one.
    ///   - id: the job's id.
    /// - Returns: the job before and after, the stored `seq`s from which that is so, and an answer for each report. In
    ///   `after` the places of what is not remembered are told anew, but for the VM's name, the type, change ids and
    ///   errors, which stay as they are. nil where the reports are more than plain progress, or look at what is not remembered.
    public func merge(
        _ reports: some Collection<Report>,
        _ id: JobID
    ) -> (before: Job, after: Job, seqs: ClosedRange<Int64>, answers: [Answer])? {
        let before = job(id)
        var after = before
        var answers: [Answer] = []
        answers.reserveCapacity(reports.count)
        for report in reports {
            guard report.isPlainProgress(beside: after.clockKey) else { return nil }
            let effect = after.merge(report)
            guard effect.answer.verdict == .applied, effect.changes.isEmpty, effect.ignoredDiskCount == 0
            else { return nil }
            answers.append(effect.answer)
        }
        for (old, new) in zip(before.disks, after.disks) {
            // A disk's end has a time, and another total a size: more columns than those of progress.
            guard old.total == new.total, (old.status == .completed) == (new.status == .completed) else {
                return nil
            }
        }
        // A client with `seq` names the order and its new place; an old one's answer tells the place that is stored.
        var seqs = seq...seq
        if let first = reports.first?.seq, reports.allSatisfy({ $0.seq != nil }) { seqs = 0...(first - 1) }
        return (before, after, seqs, answers)
    }
}

extension Report {
    /// Whether merging it into a running job asks for nothing that is not remembered of a job: its phase, speed, time
    /// to go and percentage. Of an old client only what has a time, so that each is news.
    ///
    /// - Parameter stored: the job's newest order key of a client without `seq`.
    /// - Returns: false as well where it may end the job.
    fileprivate func isPlainProgress(beside stored: ClockKey?) -> Bool {
        guard error == nil, status == .running || status == .pending, !phase.isEmpty else { return false }
        guard seq == nil else { return true }
        // What it leaves open stays as it is stored; of two of one second bytes, phase and speed decide.
        guard speed ?? 0 > 0, etaSeconds ?? 0 > 0 else { return false }
        guard let key = ClockKey(self) else { return false }
        return stored.map { key != $0 } ?? true
    }
}
