internal import JobModel

/// One disk's row as it is to be stored, with all that may be in it.
struct DiskRow {
    let jobID: String
    let disk: Disk
    /// As it was before. nil: the row is new.
    let before: Disk?
    let completedStamp: JobChange.Stamp
    /// Milliseconds since the disk was completed.
    let completedAge: Int64
    /// What a new row may be told beside.
    let registration: Registration?

    init(_ change: JobChange, _ disk: Disk, before: Disk?) {
        jobID = change.after.id.rawValue
        self.disk = disk
        self.before = before
        registration = before == nil ? change.registration : nil
        completedAge = change.transitions.disks[disk.index] ?? 0
        let isNewAttempt = change.before?.attempt != change.after.attempt
        if disk.status != .completed {
            completedStamp = before?.status == .completed ? .clear : .keep
        } else {
            completedStamp = before?.status == .completed && !isNewAttempt ? .keep : .now
        }
    }

    var isTotalNew: Bool { before?.total != disk.total }

    /// More than progress has changed.
    var isDescribedAnew: Bool {
        isTotalNew || before?.changeID != disk.changeID || before?.errorMessage != disk.errorMessage
    }
}

/// The progress of one disk as it goes through the temporary table.
struct DiskProgress {
    /// Which of the transaction's rows of jobs it belongs to.
    let ordinal: Int
    let index: Int32
    let status: DiskStatus
    let percentHundredths: Int32
    let bytes: Int64

    init(ordinal: Int, _ disk: Disk) {
        self.ordinal = ordinal
        index = disk.index
        status = disk.status
        percentHundredths = disk.percentHundredths
        bytes = disk.bytes
    }
}

/// What a transaction does to rows of disks.
struct DiskRows {
    private(set) var inserts: [DiskRow] = []
    /// Changes of rows by which more than progress is told; all changes where no temporary table takes progress.
    private(set) var updates: [DiskRow] = []
    private(set) var progress: [DiskProgress] = []
    private(set) var gone: [(jobID: String, index: Int32)] = []

    /// - Parameters:
    ///   - changes: the jobs; those that have rows are counted by the ordinals.
    ///   - joins: progress goes through a temporary table.
    init(_ changes: [JobChange], joins: Bool) {
        if joins { progress.reserveCapacity(changes.count * 2) }
        var ordinal = 0
        for index in changes.indices {
            guard changes[index].before != nil else {
                inserts += changes[index].after.disks.map { DiskRow(changes[index], $0, before: nil) }
                continue
            }
            add(changes[index], ordinal: ordinal, joins: joins)
            ordinal += 1
        }
    }

    private mutating func add(_ change: JobChange, ordinal: Int, joins: Bool) {
        let before = change.before?.disks ?? []
        let isNewAttempt = change.before?.attempt != change.after.attempt
        for disk in change.after.disks {
            guard let old = before.first(where: { $0.index == disk.index }) else {
                inserts.append(DiskRow(change, disk, before: nil))
                continue
            }
            guard old != disk || isNewAttempt else { continue }
            let row = DiskRow(change, disk, before: old)
            if joins { progress.append(DiskProgress(ordinal: ordinal, disk)) }
            if !joins || row.isDescribedAnew || row.completedStamp != .keep { updates.append(row) }
        }
        guard !before.elementsEqual(change.after.disks, by: { $0.index == $1.index }) else { return }
        let kept = Set(change.after.disks.map(\.index))
        for disk in before where !kept.contains(disk.index) {
            gone.append((change.after.id.rawValue, disk.index))
        }
    }
}
