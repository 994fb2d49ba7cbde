import JobModel
import TestSupport

/// What one correct client with `seq` can send in one attempt: absolute counters that only grow, every disk in
/// every message, each disk's completion told twice (entry and `/complete`), one end.
struct CorrectClient {
    enum Ending: CaseIterable {
        case completes, fails, goesOn
    }

    var registration: Registration
    var messages: [JobMessage]
    var ending: Ending

    init(using generator: inout SplitMix64, id: JobID) {
        let diskCount = Int.random(in: 1...4, using: &generator)
        let totals = (0..<diskCount).map { _ in Int64.random(in: 0...1_000_000, using: &generator) }
        let type: BackupType = Bool.random(using: &generator) ? .full : .incremental
        registration = Registration(
            jobID: id,
            vmName: "vm",
            backupType: type,
            disks: totals.enumerated().map { RegisteredDisk(index: Int32($0), total: $1) },
            announcesTelemetry: true,
            attempt: 1
        )
        ending = Ending.allCases.randomElement(using: &generator) ?? .completes
        var bytes = [Int64](repeating: 0, count: diskCount)
        messages = []
        var seq: Int64 = 0
        func report(_ status: ReportedStatus, _ phase: String, _ error: String? = nil) -> JobMessage {
            seq += 1
            return .report(
                Report(
                    jobID: id,
                    status: status,
                    phase: phase,
                    bytes: bytes.reduce(0, +),
                    total: totals.reduce(0, +),
                    speed: seq % 3 == 0 ? nil : seq * 10,
                    etaSeconds: seq % 4 == 0 ? nil : Int32(1000 - seq),
                    disks: (0..<diskCount).map { disk in
                        let isDone = completed.contains(disk)
                        return DiskReport(
                            index: Int32(disk),
                            bytes: bytes[disk],
                            total: totals[disk],
                            status: isDone ? .completed : bytes[disk] > 0 ? .transferring : .pending
                        )
                    },
                    error: error,
                    timestampMilliseconds: 1_760_000_000_000 + seq * 5000,
                    attempt: 1,
                    seq: seq
                )
            )
        }
        var completed: Set<Int> = []
        messages.append(report(.running, "snapshot"))
        let steps = Int.random(in: 1...12, using: &generator)
        for step in 1...steps {
            for disk in 0..<diskCount where !completed.contains(disk) {
                let rest = totals[disk] - bytes[disk]
                bytes[disk] +=
                    step == steps && ending == .completes
                    ? rest : Int64.random(in: 0...rest, using: &generator)
                let mayEnd = ending == .completes ? step == steps : Bool.random(using: &generator)
                if bytes[disk] == totals[disk], mayEnd { completed.insert(disk) }
            }
            messages.append(report(.running, "transferring"))
        }
        // Once its last disk is completed a job has ended well; a correct client reports no failure after that.
        if ending == .fails, completed.count == diskCount { ending = .goesOn }
        for disk in completed.sorted() {
            messages.append(
                .completion(
                    DiskCompletion(
                        jobID: id,
                        diskIndex: Int32(disk),
                        changeID: "change-\(disk)",
                        bytes: bytes[disk],
                        attempt: 1
                    )
                )
            )
        }
        switch ending {
        case .completes:
            messages.append(report(.running, "finalizing"))
            messages.append(report(.completed, "completed"))
        case .fails:
            messages.append(report(.failed, "transferring", "read error at 4096"))
        case .goesOn:
            break
        }
    }
}

/// The rows of a job without what depends on the order by its nature: how far the sequence was read when the job
/// had already ended.
struct Rows: Equatable {
    var job: Job

    init(_ job: Job) {
        self.job = job
        if job.isFinal { self.job.seq = 0 }
    }
}

/// Plays messages one after the other.
func play(_ messages: some Sequence<JobMessage>, on job: inout Job?) -> [Effect] {
    messages.map { Job.apply($0, to: &job) }
}
