import JobModel

/// What one client tells, step by step: absolute counters that only grow, and each disk's end.
///
/// Every message carries a number of its own where the rules do not look: reports as their ETA, completions in their
/// change id. By that number the tables' log tells which messages took effect.
struct Script {
    enum Ending {
        case completes, fails, goesOn
    }

    let job: JobID
    /// The client knows attempts and sequence numbers.
    let isNew: Bool
    /// It tells of its disks in every message; an old one may tell of the current one only.
    let hasEntries: Bool
    /// It tells only that disks are done.
    let isSilent: Bool
    let totals: [Int64]
    let ending: Ending
    let stepCount: Int64
    let clockOffset: Int64
    private(set) var hasEnded = false
    private var bytes: [Int64]
    private var completed: Set<Int> = []
    private var step: Int64 = 0
    private var tag: Int32 = 0

    init(_ scheduler: Scheduler, job: JobID) {
        self.job = job
        isNew = scheduler.chance(500)
        hasEntries = isNew || scheduler.chance(300)
        isSilent = !isNew && scheduler.chance(80)
        totals = (0..<(scheduler.chance(600) ? 1 : 2)).map { _ in scheduler.pick(1000...1_000_000) }
        ending = scheduler.chance(450) ? .completes : scheduler.chance(300) ? .fails : .goesOn
        stepCount = scheduler.pick(3...40)
        // Whole hours, as where a time zone was mistaken, and some minutes.
        clockOffset = scheduler.chance(300) ? scheduler.pick(-14...14) * 3_540_000 : 0
        bytes = totals.map { _ in 0 }
    }

    var registration: Registration {
        Registration(
            jobID: job,
            vmName: "vm",
            backupType: .full,
            disks: totals.enumerated().map { RegisteredDisk(index: Int32($0), total: $1) },
            announcesTelemetry: true,
            attempt: 1
        )
    }

    /// The row that a hub makes for an old client.
    var row: Job {
        Job(
            id: job,
            vmName: "vm",
            backupType: .full,
            total: totals.reduce(0, +),
            disks: totals.enumerated().map { Disk(index: Int32($0), total: $1) }
        )
    }

    /// The messages of the next step; the first is progress, the others are transitions.
    mutating func next(_ scheduler: Scheduler) -> [JobMessage] {
        guard !hasEnded else { return [] }
        step += 1
        let isLast = step >= stepCount && ending != .goesOn
        guard let disk = totals.indices.first(where: { !completed.contains($0) }) else { return [] }
        let rest = totals[disk] - bytes[disk]
        // Nearer and nearer, so that every step tells more.
        bytes[disk] += max(rest == 0 ? 0 : 1, rest * scheduler.pick(1...300) / 1000)
        bytes[disk] = min(bytes[disk], totals[disk])
        if isLast, ending == .fails {
            hasEnded = true
            return isSilent ? [] : [report(.failed, disk, scheduler, error: "read error")]
        }
        var messages = isSilent ? [] : [report(.running, disk, scheduler)]
        // With steps for each disk; the last one ends with the job.
        let isDiskDone = isLast || (disk < totals.count - 1 && step > stepCount / 2)
        guard isDiskDone else { return messages }
        for disk in isLast ? Array(totals.indices.filter { !completed.contains($0) }) : [disk] {
            bytes[disk] = totals[disk]
            // An old client's numbers belong to the disk of which it told last.
            if disk > 0, !isSilent { messages.append(report(.running, disk, scheduler)) }
            completed.insert(disk)
            if !isSilent { messages.append(report(isNew ? .running : .completed, disk, scheduler)) }
            messages.append(completion(disk))
        }
        if isLast {
            hasEnded = true
            if isNew { messages.append(report(.completed, totals.count - 1, scheduler)) }
        }
        return messages
    }

    private mutating func completion(_ disk: Int) -> JobMessage {
        tag += 1
        return .completion(
            DiskCompletion(
                jobID: job,
                diskIndex: Int32(disk),
                changeID: "\(tag)",
                bytes: isNew ? bytes[disk] : 0,
                attempt: isNew ? 1 : nil
            )
        )
    }

    private mutating func report(
        _ status: ReportedStatus,
        _ disk: Int,
        _ scheduler: Scheduler,
        error: String? = nil
    ) -> JobMessage {
        tag += 1
        // A change of status comes with zero numbers from an old client.
        let isBare = !isNew && status != .running
        return .report(
            Report(
                jobID: job,
                status: status,
                phase: status == .completed ? "completed" : "transferring",
                bytes: isBare ? 0 : hasEntries ? bytes.reduce(0, +) : bytes[disk],
                total: isBare ? 0 : hasEntries ? totals.reduce(0, +) : totals[disk],
                speed: isBare ? 0 : 100,
                etaSeconds: tag,
                disks: isBare || !hasEntries ? [] : entries(),
                error: error,
                timestampMilliseconds: (1_760_000_000_000 + scheduler.now + clockOffset) / 1000 * 1000,
                attempt: isNew ? 1 : nil,
                seq: isNew ? Int64(tag) : nil
            )
        )
    }

    private func entries() -> [DiskReport] {
        totals.indices.map { disk in
            DiskReport(
                index: Int32(disk),
                bytes: bytes[disk],
                total: totals[disk],
                status: isNew && completed.contains(disk)
                    ? .completed : bytes[disk] > 0 ? .transferring : .pending
            )
        }
    }
}
