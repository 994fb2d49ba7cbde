/// One backup job and its disks, as they are stored.
public struct Job: Equatable, Sendable {
    /// The job's id.
    public var id: JobID
    /// The virtual machine's name.
    public var vmName: String
    /// Full, incremental or differential.
    public var backupType: BackupType
    /// What the job is doing.
    public var status: JobStatus
    /// The phase as the client last named it.
    public var phase: String
    /// Bytes dealt with: the sum over the disks, where there are disks.
    public var bytes: Int64
    /// Bytes to deal with: the sum over the disks, where there are disks; 0 while unknown.
    public var total: Int64
    /// Bytes per second. nil while unknown.
    public var speed: Int64?
    /// Seconds to go. nil while unknown.
    public var etaSeconds: Int32?
    /// Progress in hundredths of a percent, 0...10000.
    public var percentHundredths: Int32
    /// Why the job stalled or failed. nil while nothing is wrong.
    public var errorMessage: String?
    /// The stale-detector presumed the failure, nobody reported it: contact takes it back.
    public var isPresumed: Bool
    /// A client has reported or announced reports: the job's silence means something.
    public var hasTelemetry: Bool
    /// Which run of the job is stored, 1 and up.
    public var attempt: Int64
    /// The newest `seq` stored of this attempt; 0 if none.
    public var seq: Int64
    /// The newest order key stored of a client without `seq`. nil if none.
    public var clockKey: ClockKey?
    /// The disks by index, ascending. Empty for a job that the hub made without disk rows.
    public var disks: [Disk]

    /// Creates a job from its parts.
    public init(
        id: JobID,
        vmName: String,
        backupType: BackupType,
        status: JobStatus = .running,
        phase: String = "pending",
        bytes: Int64 = 0,
        total: Int64 = 0,
        speed: Int64? = 0,
        etaSeconds: Int32? = 0,
        percentHundredths: Int32 = 0,
        errorMessage: String? = nil,
        isPresumed: Bool = false,
        hasTelemetry: Bool = false,
        attempt: Int64 = 1,
        seq: Int64 = 0,
        clockKey: ClockKey? = nil,
        disks: [Disk] = []
    ) {
        self.id = id
        self.vmName = vmName
        self.backupType = backupType
        self.status = status
        self.phase = phase
        self.bytes = bytes
        self.total = total
        self.speed = speed
        self.etaSeconds = etaSeconds
        self.percentHundredths = percentHundredths
        self.errorMessage = errorMessage
        self.isPresumed = isPresumed
        self.hasTelemetry = hasTelemetry
        self.attempt = attempt
        self.seq = seq
        self.clockKey = clockKey
        self.disks = disks
    }

    /// The job has ended for good: no message may move it any more.
    public var isFinal: Bool {
        switch status {
        case .completed, .cancelled: true
        case .failed: !isPresumed
        case .pending, .running, .stalled: false
        }
    }
}

/// One disk of a job, as it is stored.
public struct Disk: Equatable, Sendable {
    /// The disk's index in its job.
    public var index: Int32
    /// What the disk is doing.
    public var status: DiskStatus
    /// Bytes dealt with.
    public var bytes: Int64
    /// Bytes to deal with. nil while unknown.
    public var total: Int64?
    /// Progress in hundredths of a percent, 0...10000.
    public var percentHundredths: Int32
    /// The hypervisor's name for the state that was copied. nil until told.
    public var changeID: String?
    /// Why the disk failed. nil while nothing is wrong.
    public var errorMessage: String?

    /// Creates a disk from its parts.
    public init(
        index: Int32,
        status: DiskStatus = .pending,
        bytes: Int64 = 0,
        total: Int64? = nil,
        percentHundredths: Int32 = 0,
        changeID: String? = nil,
        errorMessage: String? = nil
    ) {
        self.index = index
        self.status = status
        self.bytes = bytes
        self.total = total
        self.percentHundredths = percentHundredths
        self.changeID = changeID
        self.errorMessage = errorMessage
    }
}

/// The place of an old client's message among its others: its clock, then what it says.
public struct ClockKey: Equatable, Comparable, Sendable {
    /// The client's clock, in milliseconds since 1970 UTC.
    public var milliseconds: Int64
    /// Running before completed before failed, since two messages may share a second.
    public var rank: Int32

    /// Creates a key from its parts.
    public init(milliseconds: Int64, rank: Int32) {
        self.milliseconds = milliseconds
        self.rank = rank
    }

    /// The key of a report. nil if the client sent no time.
    public init?(_ report: borrowing Report) {
        guard let time = report.timestampMilliseconds else { return nil }
        milliseconds = time
        rank = Self.rank(report)
    }

    /// Earlier: by clock, then by rank.
    public static func < (left: ClockKey, right: ClockKey) -> Bool {
        (left.milliseconds, left.rank) < (right.milliseconds, right.rank)
    }

    static let progressRank: Int32 = 0

    private static func rank(_ report: borrowing Report) -> Int32 {
        if report.error != nil || report.status == .failed { return 2 }
        switch report.status {
        case .pending, .running: return progressRank
        case .completed: return 1
        case .failed, .cancelled: return 2
        }
    }
}

/// One change of a job's status, as `job_events` keeps it.
public struct StatusChange: Equatable, Sendable {
    /// The status before. nil for a job that is new.
    public var from: JobStatus?
    /// The status after.
    public var to: JobStatus
    /// What caused it.
    public var cause: Cause
    /// The attempt it belongs to.
    public var attempt: Int64
    /// What it rests on, in words: the message's seq, the disk, the error.
    public var evidence: String

    /// Creates a change from its parts.
    public init(from: JobStatus?, to: JobStatus, cause: Cause, attempt: Int64, evidence: String) {
        self.from = from
        self.to = to
        self.cause = cause
        self.attempt = attempt
        self.evidence = evidence
    }

    /// What can change a job's status, or is worth keeping beside the changes.
    public enum Cause: String, Sendable, CaseIterable {
        case registered
        case restarted
        case firstContact = "first contact"
        case resumed
        case revived
        case reportedCompleted = "reported completed"
        case disksCompleted = "disks completed"
        case reportedFailed = "reported failed"
        case reportedCancelled = "reported cancelled"
        case cancelRequested = "cancel requested"
        case bytesPresumed = "bytes presumed"
        case silentStalled = "silent: stalled"
        case silentFailed = "silent: failed"
        case auditRepair = "audit repair"

        /// It stands beside the changes of status and is none.
        public var isNote: Bool { self == .bytesPresumed || self == .auditRepair }
    }
}
