internal import JobModel

// Enumerations to the wire and back. A value that this build does not know reads as nil, never as another one.

extension WireReportedStatus {
    init(_ value: ReportedStatus) {
        self =
            switch value {
            case .pending: .pending
            case .running: .running
            case .completed: .completed
            case .failed: .failed
            case .cancelled: .cancelled
            }
    }
}

extension ReportedStatus {
    init?(_ wire: WireReportedStatus) {
        switch wire {
        case .pending: self = .pending
        case .running: self = .running
        case .completed: self = .completed
        case .failed: self = .failed
        case .cancelled: self = .cancelled
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}

extension WireDiskStatus {
    init(_ value: DiskStatus) {
        self =
            switch value {
            case .pending: .pending
            case .transferring: .transferring
            case .completed: .completed
            case .failed: .failed
            }
    }
}

extension DiskStatus {
    init?(_ wire: WireDiskStatus) {
        switch wire {
        case .pending: self = .pending
        case .transferring: self = .transferring
        case .completed: self = .completed
        case .failed: self = .failed
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}

extension WireBackupType {
    init(_ value: BackupType) {
        self =
            switch value {
            case .full: .full
            case .incremental: .incremental
            case .differential: .differential
            }
    }
}

extension BackupType {
    init?(_ wire: WireBackupType) {
        switch wire {
        case .full: self = .full
        case .incremental: self = .incremental
        case .differential: self = .differential
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}

extension WireJobStatus {
    init(_ value: JobStatus) {
        self =
            switch value {
            case .pending: .pending
            case .running: .running
            case .stalled: .stalled
            case .completed: .completed
            case .failed: .failed
            case .cancelled: .cancelled
            }
    }
}

extension JobStatus {
    init?(_ wire: WireJobStatus) {
        switch wire {
        case .pending: self = .pending
        case .running: self = .running
        case .stalled: self = .stalled
        case .completed: self = .completed
        case .failed: self = .failed
        case .cancelled: self = .cancelled
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}

extension WireVerdict {
    init(_ value: Verdict) {
        self =
            switch value {
            case .applied: .applied
            case .created: .created
            case .repeated: .repeated
            case .superseded: .superseded
            case .unknownJob: .unknownJob
            case .unknownDisk: .unknownDisk
            case .terminal: .terminal
            case .conflict: .conflict
            case .rejected: .rejected
            case .unavailable: .unavailable
            case .held: .held
            }
    }
}

extension Verdict {
    init?(_ wire: WireVerdict) {
        switch wire {
        case .applied: self = .applied
        case .created: self = .created
        case .repeated: self = .repeated
        case .superseded: self = .superseded
        case .unknownJob: self = .unknownJob
        case .unknownDisk: self = .unknownDisk
        case .terminal: self = .terminal
        case .conflict: self = .conflict
        case .rejected: self = .rejected
        case .unavailable: self = .unavailable
        case .held: self = .held
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}

extension ClientCommand {
    init?(_ wire: WireCommand) {
        switch wire {
        case .cancel: self = .cancel
        case .register: self = .register
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}
