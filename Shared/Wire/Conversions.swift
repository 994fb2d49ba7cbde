internal import JobModel

// Model to wire and back. Each conversion lives with the type that it makes.

extension WireEnvelope {
    init(_ envelope: Envelope) {
        self.init()
        messageID = envelope.messageID
        ageMs = envelope.ageMilliseconds
        switch envelope.message {
        case .report(let report): body = .report(WireReport(report))
        case .completion(let completion): body = .completion(WireCompletion(completion))
        case .registration(let registration): body = .registration(WireRegistration(registration))
        case .cancel(let request): body = .cancel(WireCancel(request))
        }
    }
}

extension WireReport {
    init(_ report: Report) {
        self.init()
        jobID = report.jobID.rawValue
        status = WireReportedStatus(report.status)
        phase = report.phase
        bytes = report.bytes
        if let value = report.total { total = value }
        if let value = report.speed { speed = value }
        if let value = report.etaSeconds { etaSeconds = value }
        if let value = report.percentHundredths { percentHundredths = value }
        disks = report.disks.map { WireDiskReport($0) }
        if let value = report.error { error = value }
        if let value = report.timestampMilliseconds { timestampMs = value }
        if let value = report.attempt { attempt = value }
        if let value = report.seq { seq = value }
        ageMs = UInt64(clamping: report.ageMilliseconds)
    }
}

extension WireDiskReport {
    init(_ disk: DiskReport) {
        self.init()
        index = disk.index
        bytes = disk.bytes
        if let value = disk.total { total = value }
        status = WireDiskStatus(disk.status)
    }
}

extension WireCompletion {
    init(_ completion: DiskCompletion) {
        self.init()
        jobID = completion.jobID.rawValue
        diskIndex = completion.diskIndex
        changeID = completion.changeID
        bytes = completion.bytes
        if let value = completion.attempt { attempt = value }
        ageMs = UInt64(clamping: completion.ageMilliseconds)
    }
}

extension WireCancel {
    init(_ request: CancelRequest) {
        self.init()
        jobID = request.jobID.rawValue
        if let value = request.reason { reason = value }
    }
}

extension WireRegistration {
    init(_ registration: Registration) {
        self.init()
        jobID = registration.jobID.rawValue
        vmName = registration.vmName
        backupType = WireBackupType(registration.backupType)
        if let value = registration.repositoryID { repositoryID = value }
        disks = registration.disks.map { disk in
            var wire = WireRegisteredDisk()
            wire.index = disk.index
            if let value = disk.total { wire.total = value }
            wire.columns = WireColumn.all(disk.columns)
            return wire
        }
        announcesTelemetry = registration.announcesTelemetry
        if let value = registration.attempt { attempt = value }
        ageMs = UInt64(clamping: registration.ageMilliseconds)
        columns = WireColumn.all(registration.columns)
    }
}

extension WireColumn {
    static func all(_ columns: [String: ColumnValue]) -> [WireColumn] {
        columns.sorted { $0.key < $1.key }.map { name, value in
            var wire = WireColumn()
            wire.name = name
            switch value {
            case .text(let text): wire.text = text
            case .integer(let integer): wire.integer = integer
            }
            return wire
        }
    }
}

extension [String: ColumnValue] {
    init(_ wire: [WireColumn]) {
        self.init()
        for column in wire {
            switch column.value {
            case .text(let text): self[column.name] = .text(text)
            case .integer(let integer): self[column.name] = .integer(integer)
            case nil: break
            }
        }
    }
}

extension JobMessage {
    init?(_ envelope: WireEnvelope) {
        switch envelope.body {
        case .report(let wire):
            guard let report = Report(wire) else { return nil }
            self = .report(report)
        case .completion(let wire):
            guard let jobID = JobID(wire.jobID) else { return nil }
            self = .completion(
                DiskCompletion(
                    jobID: jobID,
                    diskIndex: wire.diskIndex,
                    changeID: wire.changeID,
                    bytes: wire.bytes,
                    attempt: wire.hasAttempt ? wire.attempt : nil,
                    ageMilliseconds: Int64(clamping: wire.ageMs)
                )
            )
        case .registration(let wire):
            guard let registration = Registration(wire) else { return nil }
            self = .registration(registration)
        case .cancel(let wire):
            guard let jobID = JobID(wire.jobID) else { return nil }
            self = .cancel(CancelRequest(jobID: jobID, reason: wire.hasReason ? wire.reason : nil))
        case nil:
            return nil
        }
    }
}

extension Report {
    init?(_ wire: WireReport) {
        guard let jobID = JobID(wire.jobID), let status = ReportedStatus(wire.status) else { return nil }
        var disks: [DiskReport] = []
        disks.reserveCapacity(wire.disks.count)
        for disk in wire.disks {
            guard let status = DiskStatus(disk.status) else { return nil }
            disks.append(
                DiskReport(
                    index: disk.index,
                    bytes: disk.bytes,
                    total: disk.hasTotal ? disk.total : nil,
                    status: status
                )
            )
        }
        self.init(
            jobID: jobID,
            status: status,
            phase: wire.phase,
            bytes: wire.bytes,
            total: wire.hasTotal ? wire.total : nil,
            speed: wire.hasSpeed ? wire.speed : nil,
            etaSeconds: wire.hasEtaSeconds ? wire.etaSeconds : nil,
            percentHundredths: wire.hasPercentHundredths ? wire.percentHundredths : nil,
            disks: disks,
            error: wire.hasError ? wire.error : nil,
            timestampMilliseconds: wire.hasTimestampMs ? wire.timestampMs : nil,
            attempt: wire.hasAttempt ? wire.attempt : nil,
            seq: wire.hasSeq ? wire.seq : nil,
            ageMilliseconds: Int64(clamping: wire.ageMs)
        )
    }
}

extension Registration {
    init?(_ wire: WireRegistration) {
        guard let jobID = JobID(wire.jobID), let type = BackupType(wire.backupType) else { return nil }
        self.init(
            jobID: jobID,
            vmName: wire.vmName,
            backupType: type,
            repositoryID: wire.hasRepositoryID ? wire.repositoryID : nil,
            disks: wire.disks.map { disk in
                RegisteredDisk(
                    index: disk.index,
                    total: disk.hasTotal ? disk.total : nil,
                    columns: [String: ColumnValue](disk.columns)
                )
            },
            announcesTelemetry: wire.announcesTelemetry,
            attempt: wire.hasAttempt ? wire.attempt : nil,
            columns: [String: ColumnValue](wire.columns),
            ageMilliseconds: Int64(clamping: wire.ageMs)
        )
    }
}

extension Answer {
    init(_ wire: WireAnswer) {
        self.init(
            Verdict(wire.verdict) ?? .unavailable,
            jobStatus: JobStatus(wire.jobStatus),
            attempt: wire.attempt,
            storedSeq: wire.storedSeq,
            detail: wire.detail,
            command: ClientCommand(wire.command),
            problems: wire.problems.map { Problem(pointer: $0.pointer, detail: $0.detail) }
        )
    }
}
