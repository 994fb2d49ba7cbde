internal import Synchronization

/// What a job is doing.
enum Phase: Int, Sendable, CaseIterable {
    case snapshot, transferring, finalizing, completed

    /// The name that telemetry uses.
    var name: String {
        switch self {
        case .snapshot: "snapshot"
        case .transferring: "transferring"
        case .finalizing: "finalizing"
        case .completed: "completed"
        }
    }
}

/// What a disk is doing.
enum DiskState: Int, Sendable {
    case pending, transferring, completed, failed

    /// The name that telemetry uses.
    var name: String {
        switch self {
        case .pending: "pending"
        case .transferring: "transferring"
        case .completed: "completed"
        case .failed: "failed"
        }
    }
}

/// One disk's counters. The copy adds to them and never waits for whoever reads them.
final class DiskCounters: Sendable {
    private let dealt = Atomic<Int64>(0)
    private let moved = Atomic<Int64>(0)
    private let data = Atomic<Int64>(-1)
    private let state = Atomic<Int>(DiskState.pending.rawValue)
    private let storedTotal: Atomic<Int64>
    private let isTouched = Atomic<Bool>(false)

    init(total: Int64?) {
        storedTotal = Atomic(total ?? -1)
    }

    /// Bytes to deal with in all. nil while the disk is not open.
    var total: Int64? {
        let total = storedTotal.load(ordering: .relaxed)
        return total < 0 ? nil : total
    }

    /// The disk is open only now.
    func setTotal(_ bytes: Int64) {
        storedTotal.store(bytes, ordering: .relaxed)
    }

    /// Bytes that were read and written, and bytes that were dealt with for the first time: holes are dealt
    /// with but not moved, and what is written once more after a fault is moved but not dealt with again.
    func add(moved movedBytes: Int64, dealt dealtBytes: Int64) {
        moved.add(movedBytes, ordering: .relaxed)
        dealt.add(dealtBytes, ordering: .relaxed)
    }

    /// The bytes of the source that are data; known once it has been looked through.
    func setData(_ bytes: Int64) {
        data.store(bytes, ordering: .relaxed)
    }

    /// The target is about to be changed.
    func noteTouched() {
        isTouched.store(true, ordering: .relaxed)
    }

    func set(_ newState: DiskState) {
        state.store(newState.rawValue, ordering: .releasing)
    }

    /// The counters as they are now.
    var progress: DiskProgress {
        // The state first: a disk that is seen completed then shows all its bytes.
        let state = DiskState(rawValue: state.load(ordering: .acquiring)) ?? .pending
        let data = data.load(ordering: .relaxed)
        let moved = moved.load(ordering: .relaxed)
        return DiskProgress(
            state: state,
            dealt: dealt.load(ordering: .relaxed),
            moved: moved,
            total: total,
            data: data < 0 ? nil : data,
            isTouched: isTouched.load(ordering: .relaxed)
        )
    }
}

/// One disk's progress at one moment, in bytes.
struct DiskProgress: Equatable, Sendable {
    var state: DiskState
    /// Dealt with so far, holes included.
    var dealt: Int64
    /// Really read and written so far.
    var moved: Int64
    /// To deal with in all. nil if unknown.
    var total: Int64?
    /// To read and write in all. nil while unknown.
    var data: Int64?
    /// Its target was changed.
    var isTouched = false

    /// The target is neither what it was nor a copy of the source.
    var isIncomplete: Bool { isTouched && state != .completed }

    /// 0...100; an empty disk is at 100 once it is completed.
    var percent: Double { percentage(of: dealt, in: total, isDone: state == .completed) }
}

/// A job's progress at one moment.
struct JobProgress: Equatable, Sendable {
    var phase: Phase
    var disks: [DiskProgress]

    /// Bytes dealt with so far, holes included.
    var dealt: Int64 { disks.reduce(0) { $0 + $1.dealt } }
    /// Bytes really read and written so far.
    var moved: Int64 { disks.reduce(0) { $0 + $1.moved } }
    /// Bytes to deal with in all; a disk of unknown size counts 0.
    var total: Int64 { disks.reduce(0) { $0 + ($1.total ?? 0) } }
    /// Bytes still to read and write. nil while a disk's data is unknown.
    var dataToGo: Int64? {
        var sum: Int64 = 0
        for disk in disks {
            if disk.state == .completed { continue }
            guard let data = disk.data else { return nil }
            sum += max(0, data - disk.moved)
        }
        return sum
    }

    /// 0...100; a job of empty disks is at 100 once all are completed.
    var percent: Double {
        percentage(of: dealt, in: total, isDone: disks.allSatisfy { $0.state == .completed })
    }
}

private func percentage(of part: Int64, in whole: Int64?, isDone: Bool) -> Double {
    guard let whole, whole > 0 else { return isDone ? 100 : 0 }
    return min(100, max(0, Double(part) * 100 / Double(whole)))
}

/// All counters of a job.
final class JobCounters: Sendable {
    let disks: [DiskCounters]
    private let phaseNumber = Atomic<Int>(Phase.snapshot.rawValue)

    init(totals: [Int64?]) {
        disks = totals.map { DiskCounters(total: $0) }
    }

    var phase: Phase {
        get { Phase(rawValue: phaseNumber.load(ordering: .acquiring)) ?? .snapshot }
        set { phaseNumber.store(newValue.rawValue, ordering: .releasing) }
    }

    /// All counters as they are now.
    var progress: JobProgress {
        let phase = phase
        return JobProgress(phase: phase, disks: disks.map(\.progress))
    }
}
