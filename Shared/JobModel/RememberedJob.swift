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
    public var attempt: Int64
    /// The newest `seq` of the attempt; 0 if none.
    public var seq: Int64
    /// The newest order key of a client without `seq`. nil if none.
    public var clockKey: ClockKey?
    /// The disks by index, ascending; at least one.
    public var disks: [RememberedDisk]

    /// Remembers nothing yet, or what is put into its parts.
    public init() {
        (attempt, seq, clockKey, disks) = (0, 0, nil, [])
    }

    /// Remembers a job. nil where its next progress may depend on more than is remembered: unless it runs, has no error,
    /// a `seq` that a client may have sent, and disks whose totals are all known.
    public init?(_ job: borrowing Job) {
        guard Self.suffices(for: job) else { return nil }
        attempt = job.attempt
        seq = job.seq
        clockKey = job.clockKey
        disks = []
        disks.reserveCapacity(job.disks.count)
        // By place: a disk's texts would be copied with it.
        for place in job.disks.indices {
            disks.append(
                RememberedDisk(
                    bytes: job.disks[place].bytes,
                    total: job.disks[place].total ?? 0,
                    index: job.disks[place].index,
                    percentHundredths: Int16(job.disks[place].percentHundredths),
                    status: job.disks[place].status
                )
            )
        }
    }

    /// Whether a job's next progress depends on no more than is remembered.
    fileprivate static func suffices(for job: borrowing Job) -> Bool {
        guard job.status == .running, !job.isPresumed, job.errorMessage == nil, job.seq >= 0,
            job.clockKey.map({ $0.rank == ClockKey.progressRank }) ?? true, job.total > 0, !job.disks.isEmpty
        else { return false }
        var bytes: Int64 = 0
        for place in job.disks.indices {
            guard job.disks[place].total != nil, job.disks[place].bytes >= 0,
                (0...Int32(Int16.max)).contains(job.disks[place].percentHundredths)
            else { return false }
            bytes = addingSaturated(bytes, job.disks[place].bytes)
        }
        // Whether a message brings news is told by the parent's sum, too.
        return job.bytes == bytes
    }
}

extension ClockKey {
    /// The key of an old client's progress, the only one that is remembered.
    public init(progressMilliseconds: Int64) {
        self.init(milliseconds: progressMilliseconds, rank: Self.progressRank)
    }
}

extension RememberedJob {
    /// Merges reports into a remembered job, one after the other, as `Job.apply` does, as long as they are no more than
    /// plain progress; and then into another one, in the same memory.
    public struct Merge {
        /// The job as it is remembered; to be filled in before `begin`.
        public var before = RememberedJob()
        private var leastSeq: Int64 = 0
        private var mostSeq: Int64 = 0
        private var isFirst = true
        /// The job after the reports so far. In the places of what is not remembered it holds what they have told,
        /// but for the VM's name, the type, change ids and errors, which stay as they are stored.
        public private(set) var job: Job

        /// Merges nothing yet.
        ///
        /// - Parameter id: of any job.
        public init(_ id: JobID) {
            job = Job(id: id, vmName: "", backupType: .full)
        }

        /// Begins with the job as it is remembered.
        ///
        /// - Parameter id: its id, which is not remembered.
        public mutating func begin(_ id: JobID) {
            (leastSeq, mostSeq, isFirst) = (before.seq, before.seq, true)
            job.become(before, id)
        }

        /// Merges one report more.
        ///
        /// - Parameter report: the next one of this job.
        /// - Returns: its answer. nil where the report is more than plain progress, or looks at what is not
        ///   remembered: then none of them counts.
        public mutating func take(_ report: borrowing Report) -> Answer? {
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
        /// - Returns: the stored `seq`s from which the job comes out so. nil where they have changed more than progress.
        public func end() -> ClosedRange<Int64>? {
            guard RememberedJob.suffices(for: job), leastSeq <= mostSeq,
                before.disks.count == job.disks.count
            else { return nil }
            for place in before.disks.indices {
                // A disk's word and its end have columns of their own, another total a size, and fewer bytes no
                // bound below which what is stored makes no difference.
                guard before.disks[place].total == job.disks[place].total,
                    before.disks[place].status == job.disks[place].status,
                    before.disks[place].bytes <= job.disks[place].bytes
                else { return nil }
            }
            return leastSeq...mostSeq
        }
    }
}

extension Job {
    /// Becomes a remembered job, with nothing in the places of what is not remembered; the sums are those of its disks.
    fileprivate mutating func become(_ remembered: borrowing RememberedJob, _ id: JobID) {
        self.id = id
        status = .running
        phase = ""
        speed = 0
        etaSeconds = 0
        percentHundredths = 0
        errorMessage = nil
        isPresumed = false
        hasTelemetry = true
        attempt = remembered.attempt
        seq = remembered.seq
        clockKey = remembered.clockKey
        if disks.count > remembered.disks.count { disks.removeLast(disks.count - remembered.disks.count) }
        for place in remembered.disks.indices {
            let index = remembered.disks[place].index
            if place == disks.count { disks.append(Disk(index: index)) }
            disks[place].index = index
            disks[place].status = remembered.disks[place].status
            disks[place].bytes = remembered.disks[place].bytes
            disks[place].total = remembered.disks[place].total
            disks[place].percentHundredths = Int32(remembered.disks[place].percentHundredths)
            disks[place].changeID = nil
            disks[place].errorMessage = nil
        }
        aggregate(toldPercent: nil)
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
