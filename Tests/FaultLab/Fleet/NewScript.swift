import StackSupport
import TestSupport

/// A client with `seq`: all its disks move at once, each message has numbers of its own.
struct NewScript: Script {
    private enum Stage {
        case registration, snapshot
        case report(Int)
        case finalizing
        case completion(Int)
        case over
    }

    let job: String
    let isNew = true
    private let shape: BackupShape
    private var stage = Stage.registration
    private var seq = 0
    private var bytes: [Int64]

    init(job: String, shape: BackupShape) {
        self.job = job
        self.shape = shape
        bytes = shape.totals.map { _ in 0 }
    }

    mutating func next(isClosing: Bool) -> ClientRequest? {
        switch stage {
        case .registration:
            stage = .snapshot
            return shape.registration(job, attempt: 1, announces: true)
        case .snapshot:
            stage = .report(1)
            return report("running", "snapshot")
        case .report(let number):
            return reportOrEnd(number, isClosing: isClosing)
        case .finalizing:
            stage = .completion(0)
            bytes = shape.totals
            return report("running", "finalizing")
        case .completion(let disk):
            stage = disk + 1 < shape.totals.count ? .completion(disk + 1) : .over
            return completion(disk)
        case .over:
            return nil
        }
    }

    private mutating func reportOrEnd(_ number: Int, isClosing: Bool) -> ClientRequest? {
        let isLast = shape.steps.map { number > $0 } ?? isClosing
        guard isLast else {
            stage = .report(number + 1)
            for disk in bytes.indices {
                let step = shape.steps.map { shape.totals[disk] / Int64($0) } ?? 1_000_003
                bytes[disk] = min(shape.totals[disk], bytes[disk] + step)
            }
            return report("running", "transferring")
        }
        switch shape.ending {
        case .completed:
            stage = .finalizing
            return next(isClosing: isClosing)
        case .failed, .cancelled:
            stage = .over
            return report(shape.ending == .failed ? "failed" : "cancelled", "transferring")
        }
    }

    private mutating func report(_ status: String, _ phase: String) -> ClientRequest {
        seq += 1
        let message = Hub.Message(
            job: job,
            seq: seq,
            bytes: bytes,
            totals: shape.totals,
            status: status,
            phase: phase
        )
        return ClientRequest(.progress, disk: 0, path: "/api/v1/telemetry/backup/\(job)", body: message.text)
    }

    private func completion(_ disk: Int) -> ClientRequest {
        ClientRequest(
            .completion,
            disk: disk,
            path: "/api/v1/backups/\(job)/complete",
            body: """
                {"change_id":"\(OldClient.changeID(disk: disk))","disk_id":\(disk),\
                "bytes_transferred":\(shape.totals[disk]),"attempt":1}
                """
        )
    }
}
