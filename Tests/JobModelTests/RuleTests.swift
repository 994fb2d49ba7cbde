import JobModel
import Testing

/// The rules one by one, each as an operator would say it.
@Suite struct RuleTests {
    let id: JobID

    init() throws {
        id = try #require(JobID("backup-vm-1760000000"))
    }

    private func registered(
        totals: [Int64?] = [1000, 3000],
        type: BackupType = .full,
        telemetry: Bool = true
    ) -> Job? {
        var job: Job?
        _ = Job.apply(
            .registration(
                Registration(
                    jobID: id,
                    vmName: "vm",
                    backupType: type,
                    disks: totals.enumerated().map { RegisteredDisk(index: Int32($0), total: $1) },
                    announcesTelemetry: telemetry
                )
            ),
            to: &job
        )
        return job
    }

    private func report(
        _ status: ReportedStatus = .running,
        bytes: Int64 = 0,
        total: Int64? = 0,
        disks: [DiskReport] = [],
        error: String? = nil,
        seconds: Int64? = nil,
        seq: Int64? = nil,
        phase: String = "transferring"
    ) -> JobMessage {
        .report(
            Report(
                jobID: id,
                status: status,
                phase: phase,
                bytes: bytes,
                total: total,
                speed: 5,
                etaSeconds: 7,
                disks: disks,
                error: error,
                timestampMilliseconds: seconds.map { $0 * 1000 },
                attempt: seq == nil ? nil : 1,
                seq: seq
            )
        )
    }

    private func complete(_ disk: Int32, bytes: Int64 = 0, change: String = "c") -> JobMessage {
        .completion(DiskCompletion(jobID: id, diskIndex: disk, changeID: change, bytes: bytes))
    }

    @Test func `telemetry of an unknown job asks for its registration`() {
        var job: Job?
        let effect = Job.apply(report(seq: 1), to: &job)
        #expect(effect.answer.verdict == .unknownJob && effect.answer.command == .register)
        #expect(job == nil)
    }

    @Test func `the end of disk 0 does not complete the job`() {
        var job = registered()
        _ = play([report(bytes: 900, total: 1000, seconds: 1), report(.completed, seconds: 2)], on: &job)
        #expect(job?.status == .running)
        #expect(job?.disks.map(\.status) == [.completed, .pending])
        #expect(job?.bytes == 900)
        _ = Job.apply(complete(0), to: &job)
        #expect(job?.status == .running)
        _ = Job.apply(complete(1), to: &job)
        #expect(job?.status == .completed)
        #expect(job?.bytes == 3900, "a full disk of which no bytes were told counts whole")
    }

    @Test func `an old client's second completed without news of the next disk is a repeat`() {
        var job = registered()
        let effects = play(
            [
                report(bytes: 900, total: 1000, seconds: 1), report(.completed, seconds: 2), complete(0),
                report(.completed, seconds: 3),
            ],
            on: &job
        )
        #expect(effects.last?.answer.verdict == .repeated)
        #expect(job?.disks[1].status == .pending)
    }

    @Test func `zeros of an old client are no news`() {
        var job = registered(totals: [1000])
        _ = play([report(bytes: 970, total: 1000, seconds: 1), report(.running, seconds: 2)], on: &job)
        #expect(job?.bytes == 970 && job?.total == 1000 && job?.speed == 5)
    }

    @Test func `a complete with 0 bytes keeps what telemetry told`() {
        var job = registered(totals: [1000])
        _ = play([report(bytes: 640, total: 1000, seconds: 1), complete(0)], on: &job)
        #expect(job?.status == .completed && job?.bytes == 640 && job?.percentHundredths == 10_000)
    }

    @Test func `a repeated complete counts once`() {
        var job = registered()
        _ = play([complete(0, bytes: 1000)], on: &job)
        let before = job
        let effect = Job.apply(complete(0, bytes: 1000), to: &job)
        #expect(effect.answer.verdict == .repeated && job == before)
    }

    @Test func `a late completed does not resurrect a failed job`() {
        var job = registered(totals: [1000])
        _ = play(
            [
                report(bytes: 10, total: 1000, seconds: 1),
                report(.failed, error: "disk read error", seconds: 2),
            ],
            on: &job
        )
        let before = job
        let effect = Job.apply(report(.completed, seconds: 3), to: &job)
        #expect(effect.answer.verdict == .terminal && job == before)
        #expect(job?.errorMessage == "disk read error")
    }

    @Test func `an error fails the job whatever the status says, and completed disks stay completed`() {
        var job = registered()
        _ = play([complete(0, bytes: 1000), report(.running, error: "no space", seconds: 1)], on: &job)
        #expect(job?.status == .failed && job?.isPresumed == false)
        #expect(job?.disks.map(\.status) == [.completed, .failed])
        #expect(job?.speed == 0 && job?.etaSeconds == 0)
    }

    @Test func `after a reported failure a complete stores the change id and nothing else`() {
        var job = registered()
        _ = play([report(bytes: 500, total: 1000, seconds: 1), report(.failed, seconds: 2)], on: &job)
        let effect = Job.apply(complete(0, bytes: 1000, change: "late"), to: &job)
        #expect(effect.answer.verdict == .applied)
        #expect(job?.status == .failed && job?.bytes == 500)
        #expect(job?.disks[0].changeID == "late" && job?.disks[0].status == .completed)
    }

    @Test func `a stalled job goes on at the next contact and loses its error`() {
        var job = registered()
        job?.status = .stalled
        job?.errorMessage = "Job stalled due to no telemetry updates for 60s"
        let effect = Job.apply(report(seq: 1), to: &job)
        #expect(job?.status == .running && job?.errorMessage == nil)
        #expect(effect.changes.map(\.cause) == [.resumed] && effect.isContact)
    }

    @Test func `a presumed failure is taken back by contact, with its disks`() {
        var job = registered()
        _ = Job.apply(
            report(seq: 1).with(disks: [DiskReport(index: 0, bytes: 10, total: 1000, status: .transferring)]),
            to: &job
        )
        job?.status = .failed
        job?.isPresumed = true
        job?.disks[0].status = .failed
        job?.disks[1].status = .failed
        let repeated = Job.apply(report(seq: 1), to: &job)
        #expect(repeated.answer.verdict == .repeated && job?.status == .failed, "a repeat is no news")
        _ = Job.apply(complete(1, bytes: 3000), to: &job)
        #expect(job?.status == .running && job?.isPresumed == false)
        #expect(job?.disks.map(\.status) == [.transferring, .completed])
    }

    @Test func `an older message of a client with seq does not resume a stalled job`() {
        var job = registered()
        _ = Job.apply(report(seq: 5), to: &job)
        job?.status = .stalled
        let effect = Job.apply(report(seq: 4), to: &job)
        #expect(effect.answer.verdict == .superseded && effect.isContact && job?.status == .stalled)
    }

    @Test func `an old client whose clock stepped back still resumes its job`() {
        var job = registered(totals: [1000])
        _ = Job.apply(report(bytes: 10, total: 1000, seconds: 5000), to: &job)
        job?.status = .stalled
        let effect = Job.apply(report(bytes: 20, total: 1000, seconds: 1000), to: &job)
        #expect(effect.answer.verdict == .superseded && job?.status == .running)
    }

    @Test func `a running message never ends a job, whatever its disks say`() {
        var job = registered(totals: [1000])
        _ = Job.apply(
            report(seq: 1).with(disks: [DiskReport(index: 0, bytes: 1000, total: 1000, status: .completed)]),
            to: &job
        )
        #expect(job?.status == .running && job?.disks[0].status == .completed)
    }

    @Test func `an entry for a disk that the job does not have is ignored and counted`() {
        var job = registered(totals: [1000])
        let effect = Job.apply(
            report(seq: 1).with(disks: [DiskReport(index: 9, bytes: 1, total: 1, status: .completed)]),
            to: &job
        )
        #expect(effect.ignoredDiskCount == 1 && job?.bytes == 0)
    }

    @Test func `null is unknown and zero is zero to a client with seq`() {
        var job = registered(totals: [1000])
        _ = Job.apply(report(seq: 1), to: &job)
        #expect(job?.speed == 5)
        guard case .report(var unknown) = report(seq: 2) else { return }
        unknown.speed = nil
        unknown.etaSeconds = 0
        _ = Job.apply(.report(unknown), to: &job)
        #expect(job?.speed == nil && job?.etaSeconds == 0)
    }

    @Test func `telemetry of an attempt that is not registered is told to register`() {
        var job = registered()
        guard case .report(var ahead) = report(seq: 1) else { return }
        ahead.attempt = 2
        let effect = Job.apply(.report(ahead), to: &job)
        #expect(effect.answer.verdict == .conflict && effect.answer.command == .register && !effect.isContact)
    }

    @Test func `every answer to a cancelled job says cancel, but for its own word`() {
        var job = registered()
        _ = Job.apply(report(.cancelled, seq: 1), to: &job)
        #expect(job?.status == .cancelled)
        for message in [report(seq: 2), complete(0)] {
            let effect = Job.apply(message, to: &job)
            #expect(effect.answer.verdict == .terminal && effect.answer.command == .cancel)
        }
        #expect(Job.apply(report(.cancelled, seq: 3), to: &job).answer.verdict == .repeated)
    }

    @Test func `hostile numbers stop nothing`() {
        var job = registered(totals: [.max, .max])
        _ = Job.apply(
            report(bytes: .max, total: .max, seq: .max).with(disks: [
                DiskReport(index: 0, bytes: .max, total: .max, status: .transferring),
                DiskReport(index: 1, bytes: .max, total: 1, status: .transferring),
            ]),
            to: &job
        )
        #expect(job?.bytes == .max && job?.percentHundredths == 10_000)
    }

    @Test func `a job without disk rows ends by either kind of completion`() {
        for message in [report(.completed, bytes: 70, total: 100, seq: 1), complete(0, bytes: 70)] {
            var job: Job? = Job(id: id, vmName: "vm", backupType: .full, status: .pending)
            _ = Job.apply(message, to: &job)
            #expect(job?.status == .completed && job?.bytes == 70 && job?.percentHundredths == 10_000)
        }
    }

    @Test func `a disk's bytes never fall within an attempt unless its total was told anew`() {
        var job = registered(totals: [1000])
        func entry(_ bytes: Int64, _ total: Int64) -> [DiskReport] {
            [DiskReport(index: 0, bytes: bytes, total: total, status: .transferring)]
        }
        _ = play(
            [report(seq: 1).with(disks: entry(600, 1000)), report(seq: 2).with(disks: entry(500, 1000))],
            on: &job
        )
        #expect(job?.bytes == 600)
        _ = Job.apply(report(seq: 3).with(disks: entry(500, 2000)), to: &job)
        #expect(job?.bytes == 500 && job?.percentHundredths == 2500)
    }
}

extension JobMessage {
    func with(disks: [DiskReport]) -> JobMessage {
        guard case .report(var report) = self else { return self }
        report.disks = disks
        return .report(report)
    }
}
