import JobModel
import Testing

@Suite struct RegistrationTests {
    let id: JobID

    init() throws {
        id = try #require(JobID("backup-vm-1760000000"))
    }

    private func registration(
        attempt: Int64? = nil,
        vm: String = "vm",
        totals: [Int64?] = [1000],
        telemetry: Bool = true
    ) -> JobMessage {
        .registration(
            Registration(
                jobID: id,
                vmName: vm,
                backupType: .full,
                disks: totals.enumerated().map { RegisteredDisk(index: Int32($0), total: $1) },
                announcesTelemetry: telemetry,
                attempt: attempt
            )
        )
    }

    @Test func `an exact repeat changes nothing and is no contact`() {
        var job: Job?
        let first = Job.apply(registration(), to: &job)
        #expect(first.answer.verdict == .created && first.isContact)
        let before = job
        let second = Job.apply(registration(), to: &job)
        #expect(second.answer.verdict == .repeated && !second.isContact && job == before)
    }

    @Test(arguments: [JobStatus.pending, .running], [true, false])
    func `a hub's own job is found, and its silence means something once reports are announced`(
        status: JobStatus,
        hasDisks: Bool
    ) {
        let disks = [Disk(index: 0, total: 1_073_741_824)]
        var job: Job? = Job(
            id: id,
            vmName: "vm",
            backupType: .full,
            status: status,
            disks: hasDisks ? disks : []
        )
        let effect = Job.apply(registration(), to: &job)
        #expect(effect.answer.verdict == .applied && effect.isContact)
        #expect(job?.status == .running && job?.hasTelemetry == true && job?.disks.map(\.total) == [1000])
        let before = job
        let again = Job.apply(registration(), to: &job)
        #expect(again.answer.verdict == .repeated && !again.isContact && job == before)
    }

    @Test func `disks are not brought to a job that has been reported on without any`() {
        var job: Job? = Job(id: id, vmName: "vm", backupType: .full, hasTelemetry: true)
        #expect(Job.apply(registration(), to: &job).answer.verdict == .conflict)
        #expect(job?.disks == [])
    }

    @Test func `other totals are a re-estimate until telemetry has told some`() {
        var job: Job?
        _ = Job.apply(registration(), to: &job)
        #expect(Job.apply(registration(totals: [2000]), to: &job).answer.verdict == .applied)
        #expect(job?.total == 2000)
    }

    @Test(arguments: ["other vm", "other disks"])
    func `the same attempt with other content is a conflict`(what: String) {
        var job: Job?
        _ = Job.apply(registration(), to: &job)
        let before = job
        let message = what == "other vm" ? registration(vm: "x") : registration(totals: [1000, 1])
        #expect(Job.apply(message, to: &job).answer.verdict == .conflict)
        #expect(job == before)
    }

    @Test func `a registration without attempt restarts a failed job as the next attempt`() {
        var job: Job?
        _ = Job.apply(registration(), to: &job)
        job?.status = .failed
        let effect = Job.apply(registration(), to: &job)
        #expect(effect.answer.verdict == .created && effect.answer.attempt == 2)
        #expect(effect.changes.map(\.cause) == [.restarted] && job?.status == .running)
    }

    @Test func `the restart's registration can be repeated, until telemetry has told something`() {
        var job: Job?
        _ = Job.apply(registration(), to: &job)
        job?.status = .failed
        _ = Job.apply(registration(), to: &job)
        let again = Job.apply(registration(), to: &job)
        #expect(again.answer.verdict == .repeated && again.answer.attempt == 2)
        job?.seq = 1
        #expect(Job.apply(registration(), to: &job).answer.verdict == .conflict)
    }

    @Test func `behind the last attempt that a table can hold there is no other one`() {
        var job: Job?
        _ = Job.apply(registration(attempt: Registration.attemptMax), to: &job)
        _ = Job.apply(.cancel(CancelRequest(jobID: id)), to: &job)
        let cancelled = job
        let effect = Job.apply(registration(), to: &job)
        #expect(effect.answer.verdict == .conflict)
        #expect(effect.answer.detail.contains("use another id"))
        #expect(job == cancelled)
    }

    @Test func `a completed job cannot be restarted`() {
        var job: Job?
        _ = Job.apply(registration(), to: &job)
        job?.status = .completed
        #expect(Job.apply(registration(attempt: 2), to: &job).answer.verdict == .terminal)
    }

    @Test func `a pending row of the hub begins at its registration and takes its disks`() {
        var job: Job? = Job(id: id, vmName: "vm", backupType: .incremental, status: .pending)
        let effect = Job.apply(registration(totals: [1000, 2000]), to: &job)
        #expect(effect.answer.verdict == .applied && effect.isContact)
        #expect(job?.status == .running && job?.disks.count == 2 && job?.total == 3000)
    }

    @Test func `without announced telemetry a job is never judged`() {
        var job: Job?
        let effect = Job.apply(registration(telemetry: false), to: &job)
        #expect(!effect.isContact && job?.hasTelemetry == false)
        let completed = Job.apply(
            .completion(DiskCompletion(jobID: id, diskIndex: 0, changeID: "c", bytes: 0)),
            to: &job
        )
        #expect(!completed.isContact && job?.hasTelemetry == false)
        #expect(job?.bytes == 1000 && completed.changes.contains { $0.cause == .bytesPresumed })
    }
}

@Suite struct StaleRuleTests {
    @Test func `the texts are the guide's`() throws {
        let rule = try #require(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300))
        #expect(rule.stalledMessage == "Job stalled due to no telemetry updates for 60s")
        #expect(rule.failedMessage == "Job failed due to no telemetry updates for 5m0s")
        let short = try #require(StaleRule(stalledAfterSeconds: 3, failedAfterSeconds: 8))
        #expect(short.failedMessage == "Job failed due to no telemetry updates for 8s")
        let long = try #require(StaleRule(stalledAfterSeconds: 3, failedAfterSeconds: 3661))
        #expect(long.failedMessage.hasSuffix("1h1m1s"))
    }

    @Test func `a job is marked at its threshold and not before`() throws {
        let rule = try #require(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300))
        #expect(rule.mark(status: .running, silenceMilliseconds: 59_999) == nil)
        #expect(rule.mark(status: .running, silenceMilliseconds: 60_000) == .stall)
        #expect(rule.mark(status: .stalled, silenceMilliseconds: 299_999) == nil)
        #expect(rule.mark(status: .stalled, silenceMilliseconds: 300_000) == .fail)
        #expect(rule.mark(status: .completed, silenceMilliseconds: .max) == nil)
    }

    @Test func `thresholds that make no sense make no rule`() {
        #expect(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 60) == nil)
        #expect(StaleRule(stalledAfterSeconds: 0, failedAfterSeconds: 60) == nil)
    }
}

@Suite struct JobIDTests {
    @Test(arguments: ["", " a", "a ", "a\nb", "a\u{0}", String(repeating: "x", count: 65)])
    func `an id that the table or a path cannot hold is refused`(text: String) {
        #expect(JobID(text) == nil)
    }

    @Test func `ids are compared by their bytes`() throws {
        let composed = try #require(JobID("caf\u{E9}"))
        let decomposed = try #require(JobID("cafe\u{301}"))
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(JobID(String(repeating: "ü", count: 64)) != nil)
    }
}
