extension Job {
    /// A job that was not known before.
    static func create(_ registration: Registration) -> (Job, Effect) {
        var job = Job(
            id: registration.jobID,
            vmName: registration.vmName,
            backupType: registration.backupType,
            status: .running,
            hasTelemetry: registration.announcesTelemetry,
            attempt: registration.attempt ?? 1,
            disks: registration.disks.map { Disk(index: $0.index, total: $0.total) }
        )
        job.aggregate(toldPercent: nil)
        let change = StatusChange(
            from: nil,
            to: .running,
            cause: .registered,
            attempt: job.attempt,
            evidence: registration.evidence
        )
        let effect = Effect(
            job.answer(.created),
            isContact: registration.announcesTelemetry,
            changes: [change]
        )
        return (job, effect)
    }

    /// Merges a registration of a job that is known.
    mutating func merge(_ registration: Registration) -> Effect {
        let isRestartable = status == .failed || status == .cancelled
        // A repeat of the registration that restarted the job means that same attempt, not the first.
        let isUntouched = status == .running && seq == 0 && clockKey == nil
        let told = registration.attempt ?? (isRestartable ? attempt + 1 : isUntouched ? attempt : 1)
        if told < attempt {
            return Effect(
                answer(.conflict, "Attempt \(told) of job \(id) is over: attempt \(attempt) is stored.")
            )
        }
        guard told == attempt else { return restart(registration, attempt: told) }
        // The hub makes some rows before it knows the disks; the first registration brings them.
        let isHubsOwn = disks.isEmpty && !hasTelemetry && (status == .pending || isUntouched)
        if isHubsOwn, vmName == registration.vmName {
            disks = registration.disks.map { Disk(index: $0.index, total: $0.total) }
            if status == .pending { backupType = registration.backupType }
        }
        if let difference = difference(from: registration) {
            return Effect(answer(.conflict, "Job \(id), attempt \(attempt), is stored with \(difference)."))
        }
        return repeatOrReestimate(registration)
    }

    /// What differs from the stored content. nil if it is the same backup.
    private func difference(from registration: Registration) -> String? {
        if vmName != registration.vmName { return "VM \(vmName), not \(registration.vmName)" }
        if backupType != registration.backupType {
            return "type \(backupType.rawValue), not \(registration.backupType.rawValue)"
        }
        guard disks.map(\.index) != registration.disks.map(\.index) else { return nil }
        return "disks \(disks.map(\.index)), not \(registration.disks.map(\.index))"
    }

    private mutating func repeatOrReestimate(_ registration: Registration) -> Effect {
        guard !isFinal else { return Effect(answer(.repeated)) }
        let before = self
        let changes = status == .pending ? activate(evidence: registration.evidence) : []
        // The hub made the row, its client announces reports: from now on its silence means something.
        let isAnnouncement = registration.announcesTelemetry && !hasTelemetry
        if isAnnouncement { hasTelemetry = true }
        // Totals of a registration count until telemetry has told some.
        if seq == 0, clockKey == nil {
            for (index, disk) in registration.disks.enumerated()
            where disk.total != nil && disks[index].status != .completed {
                disks[index].total = disk.total
                disks[index].updatePercent()
            }
            aggregate(toldPercent: nil)
        }
        guard self != before else { return Effect(answer(.repeated)) }
        return Effect(answer(.applied), isContact: isAnnouncement, changes: changes)
    }

    /// A new attempt starts from zero and fences the one before.
    private mutating func restart(_ registration: Registration, attempt next: Int64) -> Effect {
        guard status != .completed else { return Effect(endedAnswer()) }
        guard next <= Registration.attemptMax else {
            return Effect(
                answer(
                    .conflict,
                    "Attempt \(attempt) of job \(id) was the last that there can be; use another id."
                )
            )
        }
        guard vmName == registration.vmName else {
            return Effect(
                answer(.conflict, "Job \(id) is stored with VM \(vmName), not \(registration.vmName).")
            )
        }
        let previous = status
        var registration = registration
        registration.attempt = next
        let (job, effect) = Self.create(registration)
        self = job
        let change = StatusChange(
            from: previous,
            to: .running,
            cause: .restarted,
            attempt: next,
            evidence: registration.evidence
        )
        return Effect(effect.answer, isContact: effect.isContact, changes: [change])
    }
}

extension Registration {
    /// What an event says of the message that caused it.
    var evidence: String {
        let sizes = disks.map { "\($0.index):\($0.total.map { "\($0)" } ?? "unknown")" }.joined(
            separator: ","
        )
        return
            "registration vm=\(vmName) type=\(backupType.rawValue) disks=\(sizes) telemetry=\(announcesTelemetry)"
    }
}
