extension Job {
    /// The parent is always the aggregate of its disks; a job without disks keeps its own numbers.
    ///
    /// - Parameter told: the client's own percentage, which serves only where there is no total.
    mutating func aggregate(toldPercent told: Int32?) {
        var everyTotalIsKnown = true
        if !disks.isEmpty {
            bytes = disks.reduce(0) { addingSaturated($0, $1.bytes) }
            total = disks.reduce(0) { addingSaturated($0, $1.total ?? 0) }
            everyTotalIsKnown = disks.allSatisfy { $0.total != nil }
        }
        if status == .completed {
            percentHundredths = Self.wholeHundredths
        } else if everyTotalIsKnown, total > 0 {
            percentHundredths = hundredths(of: bytes, in: total)
        } else if let told {
            percentHundredths = min(max(told, 0), Self.wholeHundredths)
        }
    }

    /// 100 %, in hundredths.
    static var wholeHundredths: Int32 { 10_000 }

    /// A sign of life: pending begins, stalled goes on, a presumed failure is taken back.
    mutating func activate(evidence: @autoclosure () -> String) -> [StatusChange] {
        switch status {
        case .pending:
            return [change(to: .running, .firstContact, evidence())]
        case .stalled:
            errorMessage = nil
            return [change(to: .running, .resumed, evidence())]
        case .failed where isPresumed:
            errorMessage = nil
            isPresumed = false
            for index in disks.indices where disks[index].status == .failed {
                disks[index].status = disks[index].bytes > 0 ? .transferring : .pending
                disks[index].errorMessage = nil
            }
            return [change(to: .running, .revived, evidence())]
        case .running, .completed, .failed, .cancelled:
            return []
        }
    }

    /// The job ends well: every disk is done.
    mutating func finish(_ cause: StatusChange.Cause, evidence: String) -> StatusChange {
        let change = change(to: .completed, cause, evidence)
        phase = "completed"
        speed = 0
        etaSeconds = 0
        errorMessage = nil
        isPresumed = false
        return change
    }

    /// The job ends badly, by its client's word. Completed disks stay completed, the others fail.
    mutating func end(
        as ending: JobStatus,
        _ cause: StatusChange.Cause,
        message: String?,
        evidence: String
    ) -> StatusChange {
        let change = change(to: ending, cause, evidence)
        speed = 0
        etaSeconds = 0
        errorMessage = message
        isPresumed = false
        for index in disks.indices where disks[index].status != .completed {
            disks[index].status = .failed
            disks[index].errorMessage = message
        }
        return change
    }

    /// Completes one disk: it stands at 100 % from now on.
    ///
    /// - Parameters:
    ///   - index: its place in `disks`.
    ///   - isTold: whether its bytes were told by a client that says what it means.
    ///   - evidence: what completed it.
    /// - Returns: a change that says so where its bytes had to be presumed.
    mutating func completeDisk(at index: Int, bytesAreTold isTold: Bool, evidence: String) -> [StatusChange] {
        disks[index].status = .completed
        disks[index].percentHundredths = Self.wholeHundredths
        disks[index].errorMessage = nil
        guard let size = disks[index].total else {
            disks[index].total = disks[index].bytes > 0 ? disks[index].bytes : nil
            return []
        }
        // A silent old client always says 0 bytes; a full backup moved the whole disk all the same.
        guard !isTold, disks[index].bytes == 0, size > 0, backupType == .full else { return [] }
        disks[index].bytes = size
        return [
            StatusChange(
                from: status,
                to: status,
                cause: .bytesPresumed,
                attempt: attempt,
                evidence: "disk=\(disks[index].index) bytes=\(size) presumed from its size; \(evidence)"
            )
        ]
    }

    /// Whether there are disks and each is completed.
    var everyDiskIsCompleted: Bool {
        !disks.isEmpty && disks.allSatisfy { $0.status == .completed }
    }

    private mutating func change(
        to next: JobStatus,
        _ cause: StatusChange.Cause,
        _ evidence: String
    ) -> StatusChange {
        let change = StatusChange(from: status, to: next, cause: cause, attempt: attempt, evidence: evidence)
        status = next
        return change
    }
}

extension Disk {
    /// Sets the percentage from bytes and total; a completed disk stands at 100 %.
    mutating func updatePercent() {
        if status == .completed {
            percentHundredths = Job.wholeHundredths
        } else if let total, total > 0 {
            percentHundredths = hundredths(of: bytes, in: total)
        } else {
            percentHundredths = 0
        }
    }

    /// Takes newer numbers: bytes fall only when the total was re-estimated in the same breath.
    mutating func take(bytes told: Int64, total toldTotal: Int64?) {
        let isReestimated = toldTotal != nil && total != nil && toldTotal != total
        if let toldTotal { total = toldTotal }
        bytes = isReestimated && status != .completed ? told : max(bytes, told)
    }
}

/// The sum, or the largest number there is: hostile numbers must not stop a service.
func addingSaturated(_ left: Int64, _ right: Int64) -> Int64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
}

/// A part of a whole in hundredths of a percent, 0...10000, rounded down.
func hundredths(of part: Int64, in whole: Int64) -> Int32 {
    guard whole > 0, part > 0 else { return 0 }
    guard part < whole else { return Job.wholeHundredths }
    let product = UInt64(part).multipliedFullWidth(by: UInt64(Job.wholeHundredths))
    return Int32(UInt64(whole).dividingFullWidth(product).quotient)
}
