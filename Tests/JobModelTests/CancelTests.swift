import JobModel
import Testing

@Suite struct CancelTests {
    let id: JobID

    init() throws {
        id = try #require(JobID("backup-vm-1760000000"))
    }

    private func job(_ status: JobStatus, isPresumed: Bool = false) -> Job {
        Job(
            id: id,
            vmName: "vm",
            backupType: .full,
            status: status,
            bytes: 150,
            total: 300,
            speed: 7,
            etaSeconds: 9,
            errorMessage: status == .stalled || status == .failed ? "silent" : nil,
            isPresumed: isPresumed,
            hasTelemetry: true,
            seq: 4,
            disks: [
                Disk(index: 0, status: .completed, bytes: 100, total: 100),
                Disk(index: 1, status: .transferring, bytes: 50, total: 200),
            ]
        )
    }

    private func cancel(reason: String? = nil) -> JobMessage {
        .cancel(CancelRequest(jobID: id, reason: reason))
    }

    @Test(arguments: [JobStatus.pending, .running, .stalled, .failed])
    func `a job that may still go on ends as cancelled, and its completed disks stay`(status: JobStatus) {
        var job: Job? = job(status, isPresumed: status == .failed)
        let effect = Job.apply(cancel(reason: "maintenance"), to: &job)
        #expect(effect.answer.verdict == .applied && effect.answer.jobStatus == .cancelled)
        #expect(!effect.isContact && effect.changes.map(\.cause) == [.cancelRequested])
        #expect(job?.status == .cancelled && job?.isPresumed == false && job?.speed == 0)
        #expect(job?.errorMessage == "The backup was cancelled: maintenance")
        #expect(job?.disks.map(\.status) == [.completed, .failed] && job?.bytes == 150)
        let before = job
        let again = Job.apply(cancel(), to: &job)
        #expect(again.answer.verdict == .repeated && again.changes.isEmpty && job == before)
    }

    @Test(arguments: [JobStatus.completed, .failed])
    func `a job that has ended stays as it ended`(status: JobStatus) {
        var job: Job? = job(status)
        let before = job
        let effect = Job.apply(cancel(), to: &job)
        #expect(effect.answer.verdict == .terminal && effect.answer.command == nil && job == before)
    }

    @Test func `a job that nobody knows is not registered by its cancellation`() {
        var job: Job?
        let effect = Job.apply(cancel(), to: &job)
        #expect(effect.answer.verdict == .unknownJob && effect.answer.command == nil && job == nil)
    }

    @Test func `every answer to a cancelled job says so, but for a registration and its own word`() {
        var job: Job? = job(.running)
        _ = Job.apply(cancel(), to: &job)
        let report = Report(jobID: id, status: .running, phase: "transferring", bytes: 60, total: 300, seq: 5)
        var confirmation = report
        confirmation.status = .cancelled
        let completion = DiskCompletion(jobID: id, diskIndex: 1, changeID: "c", bytes: 0)
        for message in [JobMessage.report(report), .completion(completion)] {
            let answer = Job.apply(message, to: &job).answer
            #expect(answer.verdict == .terminal && answer.command == .cancel)
        }
        #expect(Job.apply(.report(confirmation), to: &job).answer.verdict == .repeated)
        #expect(job?.status == .cancelled && job?.seq == 4 && job?.bytes == 150)
        let registration = Registration(
            jobID: id,
            vmName: "vm",
            backupType: .full,
            disks: [RegisteredDisk(index: 0, total: 100), RegisteredDisk(index: 1, total: 200)]
        )
        let answer = Job.apply(.registration(registration), to: &job).answer
        #expect(answer.verdict == .created && answer.attempt == 2 && job?.status == .running)
    }
}
