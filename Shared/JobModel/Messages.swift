/// The job status that a client may report. `stalled` is ours to say, never a client's.
public enum ReportedStatus: String, Sendable, CaseIterable {
    case pending, running, completed, failed, cancelled
}

/// One telemetry message, valid in itself: what `POST /api/v1/telemetry/backup/{job_id}` told.
public struct Report: Equatable, Sendable {
    /// The longest error text that is kept, in UTF-8 bytes.
    public static let errorByteCountMax = 4096
    /// The longest phase, in Unicode scalars (`varchar(50)`).
    public static let phaseScalarCountMax = 50

    /// The job it speaks of.
    public var jobID: JobID
    /// The job's status as the client sees it.
    public var status: ReportedStatus
    /// The phase as the client names it; 50 characters at most.
    public var phase: String
    /// Bytes dealt with so far. Zero from a client without `seq` means "no news".
    public var bytes: Int64
    /// Bytes to deal with in all. nil while unknown; zero from a client without `seq` means "no news".
    public var total: Int64?
    /// Bytes per second. nil while unknown.
    public var speed: Int64?
    /// Seconds to go. nil while unknown; 2^31-1 at most.
    public var etaSeconds: Int32?
    /// The client's own progress in hundredths of a percent, 0...10000. nil if it told none.
    public var percentHundredths: Int32?
    /// The disks it tells of; empty from most old clients.
    public var disks: [DiskReport]
    /// The error that ended the job. nil while there is none; 4 KiB at most.
    public var error: String?
    /// The client's clock, in milliseconds since 1970 UTC. nil if it sent none.
    public var timestampMilliseconds: Int64?
    /// Which run of the job this belongs to, 1 and up. nil from old clients.
    public var attempt: Int64?
    /// Grows with each message of an attempt, 1 and up. nil from old clients.
    public var seq: Int64?
    /// Milliseconds from what it tells of to its sending, as its client has measured them; 0 from those that do not.
    public var ageMilliseconds: Int64

    /// Creates a report from its parts.
    @inlinable
    public init(
        jobID: JobID,
        status: ReportedStatus,
        phase: String,
        bytes: Int64,
        total: Int64?,
        speed: Int64? = nil,
        etaSeconds: Int32? = nil,
        percentHundredths: Int32? = nil,
        disks: [DiskReport] = [],
        error: String? = nil,
        timestampMilliseconds: Int64? = nil,
        attempt: Int64? = nil,
        seq: Int64? = nil,
        ageMilliseconds: Int64 = 0
    ) {
        self.jobID = jobID
        self.status = status
        self.phase = phase
        self.bytes = bytes
        self.total = total
        self.speed = speed
        self.etaSeconds = etaSeconds
        self.percentHundredths = percentHundredths
        self.disks = disks
        self.error = error
        self.timestampMilliseconds = timestampMilliseconds
        self.attempt = attempt
        self.seq = seq
        self.ageMilliseconds = ageMilliseconds
    }
}

/// One disk's entry in a telemetry message.
public struct DiskReport: Equatable, Sendable {
    /// The disk's index in its job, 0 and up.
    public var index: Int32
    /// Bytes dealt with so far.
    public var bytes: Int64
    /// Bytes to deal with in all. nil while unknown.
    public var total: Int64?
    /// The disk's status; old clients' `running` reads as transferring.
    public var status: DiskStatus

    /// Creates an entry from its parts.
    public init(index: Int32, bytes: Int64, total: Int64?, status: DiskStatus) {
        self.index = index
        self.bytes = bytes
        self.total = total
        self.status = status
    }
}

/// A disk is done: what `POST /api/v1/backups/{id}/complete` told.
public struct DiskCompletion: Equatable, Sendable {
    /// The longest change id, in Unicode scalars (`varchar(255)`).
    public static let changeIDScalarCountMax = 255

    /// The job it speaks of.
    public var jobID: JobID
    /// The disk's index; 0 if the client named none.
    public var diskIndex: Int32
    /// The hypervisor's name for the state that was copied.
    public var changeID: String
    /// Bytes dealt with. Zero means "no news": old clients always say 0.
    public var bytes: Int64
    /// Which run of the job this belongs to. nil from old clients.
    public var attempt: Int64?
    /// Milliseconds from the disk's end to the sending, as of `Report`.
    public var ageMilliseconds: Int64

    /// Creates a completion from its parts.
    public init(
        jobID: JobID,
        diskIndex: Int32,
        changeID: String,
        bytes: Int64,
        attempt: Int64? = nil,
        ageMilliseconds: Int64 = 0
    ) {
        self.jobID = jobID
        self.diskIndex = diskIndex
        self.changeID = changeID
        self.bytes = bytes
        self.attempt = attempt
        self.ageMilliseconds = ageMilliseconds
    }
}

/// An operator stops a backup: what `POST /api/v1/backups/{id}/cancel` told.
public struct CancelRequest: Equatable, Sendable {
    /// The longest reason that is kept, in Unicode scalars.
    public static let reasonScalarCountMax = 1000

    /// The job to stop, whichever attempt of it runs.
    public var jobID: JobID
    /// Why, for the job's error text. nil if nobody said.
    public var reason: String?

    /// Creates a request from its parts.
    public init(jobID: JobID, reason: String? = nil) {
        self.jobID = jobID
        self.reason = reason
    }
}

/// A backup begins: what `POST /api/v1/backups` told.
public struct Registration: Equatable, Sendable {
    /// The most disks that a job may have.
    public static let diskCountMax = 256
    /// The last attempt that there can be (`int`).
    public static let attemptMax = Int64(Int32.max)
    /// The longest VM name, in Unicode scalars (`varchar(255)`).
    public static let vmNameScalarCountMax = 255
    /// The longest repository id, in Unicode scalars (`varchar(64)`).
    public static let repositoryIDScalarCountMax = 64

    /// The job's id.
    public var jobID: JobID
    /// The virtual machine's name.
    public var vmName: String
    /// Full, incremental or differential.
    public var backupType: BackupType
    /// Where the backup goes. nil if the client named none.
    public var repositoryID: String?
    /// The job's disks, at least one, each index once, ascending.
    public var disks: [RegisteredDisk]
    /// The client will report: its silence means something.
    public var announcesTelemetry: Bool
    /// Which run of the job this is, 1 and up. nil if the client leaves it to us.
    public var attempt: Int64?
    /// What an adopted table of jobs may demand beside what we use, by column.
    public var columns: [String: ColumnValue]
    /// Milliseconds from the beginning of the backup to the sending, as of `Report`.
    public var ageMilliseconds: Int64

    /// Creates a registration from its parts.
    public init(
        jobID: JobID,
        vmName: String,
        backupType: BackupType,
        repositoryID: String? = nil,
        disks: [RegisteredDisk],
        announcesTelemetry: Bool = false,
        attempt: Int64? = nil,
        columns: [String: ColumnValue] = [:],
        ageMilliseconds: Int64 = 0
    ) {
        self.jobID = jobID
        self.vmName = vmName
        self.backupType = backupType
        self.repositoryID = repositoryID
        self.disks = disks
        self.announcesTelemetry = announcesTelemetry
        self.attempt = attempt
        self.columns = columns
        self.ageMilliseconds = ageMilliseconds
    }
}

/// One disk of a registration.
public struct RegisteredDisk: Equatable, Sendable {
    /// The disk's index in its job, 0 and up.
    public var index: Int32
    /// Bytes to deal with in all. nil while unknown (an incremental before its changed blocks are listed).
    public var total: Int64?
    /// What an adopted table of disks may demand beside what we use, by column.
    public var columns: [String: ColumnValue]

    /// Creates a disk from its parts.
    public init(index: Int32, total: Int64?, columns: [String: ColumnValue] = [:]) {
        self.index = index
        self.total = total
        self.columns = columns
    }
}

/// A value for a column of an adopted table that we do not use ourselves.
public enum ColumnValue: Equatable, Sendable {
    case text(String)
    case integer(Int64)
}

/// Anything that can change a job. Indirect: it goes from queue to queue, and is large.
public indirect enum JobMessage: Equatable, Sendable {
    case report(Report)
    case completion(DiskCompletion)
    case registration(Registration)
    case cancel(CancelRequest)

    /// It tells only how far a job is: the next one of its kind tells more.
    public var isProgress: Bool {
        switch self {
        case .report(let report):
            report.error == nil && (report.status == .running || report.status == .pending)
        case .completion, .registration, .cancel: false
        }
    }

    /// Its client tells it once and forgets it: telemetry and completions of clients that know no attempts.
    public var isToldOnce: Bool {
        switch self {
        case .report(let report): report.seq == nil && report.attempt == nil
        case .completion(let completion): completion.attempt == nil
        case .registration, .cancel: false
        }
    }

    /// How long ago it was that what it tells of happened.
    ///
    /// - Parameter sinceReceived: milliseconds since the door has it.
    /// - Returns: milliseconds, those that its client had measured when it sent it among them.
    public func ageMilliseconds(sinceReceived: Int64) -> Int64 {
        let told: Int64 =
            switch self {
            case .report(let report): report.ageMilliseconds
            case .completion(let completion): completion.ageMilliseconds
            case .registration(let registration): registration.ageMilliseconds
            case .cancel: 0
            }
        return addingSaturated(sinceReceived, told)
    }

    /// The job it speaks of.
    public var jobID: JobID {
        switch self {
        case .report(let report): report.jobID
        case .completion(let completion): completion.jobID
        case .registration(let registration): registration.jobID
        case .cancel(let request): request.jobID
        }
    }
}
