internal import JobModel

/// A member that the contract knows, named as on the wire.
protocol ContractField: RawRepresentable<String>, CaseIterable, Sendable, Equatable {
    /// What its value has to be, to follow "must be ".
    var expected: String { get }
}

private let countText = "an integer from 0 to 9223372036854775807"
private let indexText = "an integer from 0 to \(FieldReader.diskIndexMax)"
private let attemptText = "an integer from 1 to \(Int32.max)"
private let ageText = "milliseconds, 0 or more, or null"

/// The words that a type's cases stand for, listed.
private func words<Word: RawRepresentable<String> & CaseIterable>(_: Word.Type) -> String {
    "one of " + Word.allCases.map(\.rawValue).joined(separator: ", ")
}

/// The members of a telemetry message.
enum ReportField: String, ContractField {
    case jobID = "job_id"
    case jobType = "job_type"
    case status
    case phase = "current_phase"
    case bytes = "bytes_transferred"
    case total = "total_bytes"
    case speed = "transfer_speed_bps"
    case eta = "eta_seconds"
    case percent = "progress_percent"
    case disks, timestamp, attempt, seq, error
    case age = "age_ms"

    static let required: [ReportField] = [.jobID, .jobType, .status, .phase, .bytes, .total]

    var expected: String {
        switch self {
        case .jobID: "the job id of the path, as a string"
        case .jobType: "the job type of the path, as a string"
        case .status: words(ReportedStatus.self)
        case .phase: "a string of at most \(Report.phaseScalarCountMax) characters"
        case .bytes: countText
        case .total: "\(countText), or null while unknown"
        case .speed: "bytes per second, from 0 to below 2^63, or null while unknown"
        case .eta: "seconds, 0 or more, or null while unknown"
        case .percent: "a number, 0 or more, or null while unknown"
        case .disks: "an array of at most \(Registration.diskCountMax) disks"
        case .timestamp: "an RFC 3339 time such as 2025-10-10T14:23:45Z"
        case .error: "a string, an object with a message, or null"
        case .attempt: attemptText
        case .seq: "an integer from 1 to 9223372036854775807"
        case .age: ageText
        }
    }
}

/// The members of a disk's entry in a telemetry message.
enum DiskReportField: String, ContractField {
    case index = "disk_index"
    case bytes = "bytes_transferred"
    case total = "total_bytes"
    case status
    case percent = "progress_percent"

    static let required: [DiskReportField] = [.index, .bytes, .status]

    var expected: String {
        switch self {
        case .index: indexText
        case .bytes: countText
        case .total: "\(countText), or null while unknown"
        case .status: words(ReportedDiskStatus.self)
        case .percent: "a number or null"
        }
    }
}

/// The words for a disk's status on the wire.
enum ReportedDiskStatus: String, CaseIterable, Sendable {
    case pending, running, transferring, completed, failed

    /// The status that the word stands for.
    var status: DiskStatus {
        switch self {
        case .pending: .pending
        case .running, .transferring: .transferring
        case .completed: .completed
        case .failed: .failed
        }
    }
}

/// The members of an error that is an object.
enum ErrorField: String, ContractField {
    case message, code

    static let required: [ErrorField] = [.message]

    var expected: String {
        switch self {
        case .message: "a string"
        case .code: "a string, a number or null"
        }
    }
}

/// The members of a completion.
enum CompletionField: String, ContractField {
    case changeID = "change_id"
    case diskIndex = "disk_id"
    case bytes = "bytes_transferred"
    case attempt
    case age = "age_ms"

    static let required: [CompletionField] = [.changeID]

    var expected: String {
        switch self {
        case .changeID: "a string of 1 to \(DiskCompletion.changeIDScalarCountMax) characters"
        case .diskIndex: indexText
        case .bytes: countText
        case .attempt: attemptText
        case .age: ageText
        }
    }
}

/// The members of a request to cancel.
enum CancelField: String, ContractField {
    case reason

    var expected: String {
        switch self {
        case .reason: "a string of 1 to \(CancelRequest.reasonScalarCountMax) characters, or null"
        }
    }
}

/// The members of a registration.
enum RegistrationField: String, ContractField {
    case jobID = "job_id"
    case vmName = "vm_name"
    case backupType = "backup_type"
    case repositoryID = "repository_id"
    case disks, telemetry, attempt
    case age = "age_ms"

    static let required: [RegistrationField] = [.jobID, .vmName, .backupType, .disks]

    var expected: String {
        switch self {
        case .jobID:
            "a string of 1 to \(JobID.scalarCountMax) characters, no control characters, no space at its ends"
        case .vmName: "a string of 1 to \(Registration.vmNameScalarCountMax) characters"
        case .backupType: words(BackupType.self)
        case .repositoryID: "a string of 1 to \(Registration.repositoryIDScalarCountMax) characters"
        case .disks: "an array of 1 to \(Registration.diskCountMax) disks"
        case .telemetry: "true or false"
        case .attempt: attemptText
        case .age: ageText
        }
    }
}

/// The members of a disk in a registration.
enum RegisteredDiskField: String, ContractField {
    case index = "disk_index"
    case total = "total_bytes"

    static let required: [RegisteredDiskField] = [.index]

    var expected: String {
        switch self {
        case .index: indexText
        case .total: "\(countText), or null while unknown"
        }
    }
}
