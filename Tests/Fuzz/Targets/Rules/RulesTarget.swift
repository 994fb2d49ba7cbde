import JobModel

/// The rules over any sequence of messages for one job: what `docs/architecture.md` promises of a row holds
/// after each of them.
enum RulesTarget {
    static func check(_ input: [UInt8]) throws {
        guard let id = JobID("backup-vm-1760000000") else { return }
        var reader = MessageReader(input, jobID: id)
        var job: Job?
        while let step = reader.next() {
            let before = job
            switch step {
            case .message(let message):
                let effect = Job.apply(message, to: &job)
                try check(effect, of: message, before, job)
                try checkRepeat(of: message, after: effect, job)
            case .stall:
                if job?.status == .running {
                    job?.status = .stalled
                    job?.errorMessage = "silent"
                }
            case .presumeFailed:
                presumeFailed(&job)
            }
            if let job { try check(job) }
        }
    }

    private static func presumeFailed(_ job: inout Job?) {
        guard var stored = job, [.running, .stalled].contains(stored.status) else { return }
        stored.status = .failed
        stored.isPresumed = true
        stored.errorMessage = "silent"
        for index in stored.disks.indices where stored.disks[index].status != .completed {
            stored.disks[index].status = .failed
        }
        job = stored
    }

    /// What holds for any stored job.
    private static func check(_ job: Job) throws {
        if !job.disks.isEmpty {
            let bytes = job.disks.reduce(0) { saturated($0, $1.bytes) }
            let total = job.disks.reduce(0) { saturated($0, $1.total ?? 0) }
            try Finding.unless(job.bytes == bytes, "\(job.bytes) bytes, its disks \(bytes): \(job)")
            try Finding.unless(job.total == total, "a total of \(job.total), its disks \(total): \(job)")
        }
        try Finding.unless(
            (1...Registration.attemptMax).contains(job.attempt) && job.seq >= 0,
            "attempt \(job.attempt), seq \(job.seq): \(job)"
        )
        let percents = [job.percentHundredths] + job.disks.map(\.percentHundredths)
        try Finding.unless(
            percents.allSatisfy { (0...10_000).contains($0) },
            "a percentage out of range: \(job)"
        )
        let numbers = [job.bytes, job.total] + job.disks.map(\.bytes) + job.disks.map { $0.total ?? 0 }
        try Finding.unless(numbers.allSatisfy { $0 >= 0 }, "a negative number: \(job)")
        if job.status == .completed {
            let isDone = job.disks.allSatisfy { $0.status == .completed && $0.percentHundredths == 10_000 }
            try Finding.unless(isDone, "completed without all disks: \(job)")
            try Finding.unless(job.percentHundredths == 10_000, "completed below 100 %: \(job)")
            try Finding.unless(job.errorMessage == nil, "completed with an error: \(job)")
        }
        try Finding.unless(!job.isPresumed || job.status == .failed, "presumed, but not failed: \(job)")
        try Finding.unless(job.disks.map(\.index) == job.disks.map(\.index).sorted(), "disks out of order")
    }

    /// What holds for any message.
    private static func check(
        _ effect: Effect,
        of message: JobMessage,
        _ before: Job?,
        _ after: Job?
    ) throws {
        let answer = effect.answer
        guard let after else {
            return try Finding.unless(answer.verdict == .unknownJob, "no job, but \(answer.verdict)")
        }
        var status = before?.status
        for change in effect.changes {
            // A registration that is told twice in one breath has no status before.
            try Finding.unless(
                change.from == status,
                "a change from \(String(describing: change.from)): \(effect)"
            )
            status = change.to
        }
        try Finding.unless(status == after.status, "\(after.status) without a change: \(effect)")
        try Finding.unless(
            answer.jobStatus == after.status && answer.attempt == after.attempt
                && answer.storedSeq == after.seq,
            "the answer tells another job: \(answer) \(after)"
        )
        switch answer.verdict {
        case .terminal, .conflict, .repeated, .unknownDisk, .unknownJob:
            try Finding.unless(
                before == after,
                "\(answer.verdict) changed \(String(describing: before)) to \(after)"
            )
        case .applied, .created, .superseded: break
        case .rejected, .unavailable, .held: throw Finding("the rules know no \(answer.verdict)")
        }
        if let before, before.isFinal { try checkFinal(before, after, message, effect) }
    }

    /// What has ended stays as it is, but for what was still missing of its disks, and for a new attempt.
    private static func checkFinal(
        _ before: Job,
        _ after: Job,
        _ message: JobMessage,
        _ effect: Effect
    ) throws {
        if case .registration = message, before.status != .completed, after.attempt > before.attempt {
            return
        }
        var comparable = after
        if case .completion = message {
            for index in comparable.disks.indices {
                comparable.disks[index].changeID = before.disks[index].changeID
                comparable.disks[index].errorMessage = before.disks[index].errorMessage
                comparable.disks[index].status = before.disks[index].status
                comparable.disks[index].percentHundredths = before.disks[index].percentHundredths
            }
        }
        try Finding.unless(comparable == before, "\(message) moved \(before) to \(after)")
        try Finding.unless(effect.changes.isEmpty && !effect.isContact, "\(message) had an effect: \(effect)")
    }

    /// A client that repeats a message which was stored is told so, and changes nothing.
    private static func checkRepeat(of message: JobMessage, after effect: Effect, _ job: Job?) throws {
        guard [.applied, .created].contains(effect.answer.verdict) else { return }
        if case .report(let report) = message, report.seq == nil { return }
        var again = job
        let second = Job.apply(message, to: &again)
        try Finding.unless(again == job, "\(message) twice made \(String(describing: again))")
        try Finding.unless(second.changes.isEmpty, "\(message) twice: \(second)")
        try Finding.unless(
            [.repeated, .terminal].contains(second.answer.verdict),
            "\(message) twice is \(second.answer.verdict)"
        )
    }

    private static func saturated(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
