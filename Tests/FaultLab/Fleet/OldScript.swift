import StackSupport
import TestSupport

/// A client as it is in the field: no `seq`, disk after disk, nothing is ever repeated. Its job is
/// registered by the hub.
struct OldScript: Script {
    private enum Stage {
        case registration
        case report(Int)
        case end, completion, over
    }

    var job: String { client.job }
    let isNew = false
    private let shape: BackupShape
    private let failure: OldClient.Failure
    /// Seconds that lie between two reports at least.
    private let secondsApart: Int64
    private var client: OldClient
    private var stage = Stage.registration
    private var disk = 0
    private var bytes: Int64 = 0

    init(
        job: String,
        shape: BackupShape,
        generation: OldClient.Generation,
        clock: Int64? = nil,
        secondsApart: Int64 = 0,
        seed: UInt64
    ) {
        self.shape = shape
        self.secondsApart = secondsApart
        client = OldClient(job: job, totals: shape.totals, generation: generation, seed: seed)
        if let clock { client.setClock(clock) }
        failure = OldClient.Failure.allCases[Int(seed % UInt64(OldClient.Failure.allCases.count))]
    }

    mutating func next(isClosing: Bool) -> ClientRequest? {
        switch stage {
        case .registration:
            stage = client.generation == .silent ? .completion : .report(1)
            return shape.registration(job, announces: false)
        case .report(let number):
            return reportOrEnd(number, isClosing: isClosing)
        case .end:
            stage = .completion
            return client.completed(disk: disk)
        case .completion:
            let done = disk
            disk += 1
            bytes = 0
            stage =
                disk == shape.totals.count ? .over : client.generation == .silent ? .completion : .report(1)
            return client.complete(disk: done)
        case .over:
            return nil
        }
    }

    private mutating func reportOrEnd(_ number: Int, isClosing: Bool) -> ClientRequest? {
        let isLastDisk = disk == shape.totals.count - 1
        // The last disk of an endless backup takes all the time that there is.
        let isDone = shape.steps == nil && isLastDisk ? isClosing : number > shape.steps ?? 6
        guard isDone else {
            stage = .report(number + 1)
            client.advanceClock(seconds: secondsApart)
            bytes += shape.steps.map { shape.totals[disk] / Int64($0) } ?? 1_000_003
            bytes = min(shape.totals[disk], bytes)
            return number == 3 ? client.noNews(disk: disk) : client.progress(disk: disk, bytes: bytes)
        }
        if isLastDisk, shape.ending == .failed {
            stage = .over
            return client.failed(disk: disk, failure)
        }
        stage = .end
        return next(isClosing: isClosing)
    }
}
