internal import JobModel

/// One disk's row as it is to be stored.
struct DiskRow {
    /// Which of the transaction's jobs it belongs to.
    let ordinal: Int
    let jobID: String
    let disk: Disk
    /// As it was before. nil: the row is new.
    let before: Disk?
    let completedStamp: JobChange.Stamp
    /// What a new row may be told beside.
    let registration: Registration?

    init(_ change: JobChange, ordinal: Int, _ disk: Disk, before: Disk?) {
        self.ordinal = ordinal
        jobID = change.after.id.rawValue
        self.disk = disk
        self.before = before
        registration = before == nil ? change.registration : nil
        let isNewAttempt = change.before?.attempt != change.after.attempt
        if disk.status != .completed {
            completedStamp = before?.status == .completed ? .clear : .keep
        } else {
            completedStamp = before?.status == .completed && !isNewAttempt ? .keep : .now
        }
    }

    // A disk's bytes are the largest that were told, unless the total is another one. So where they grow, it does not
    // matter from which they do.

    /// The fewest bytes that may be stored where the row is remembered.
    var leastBytes: Int64? {
        guard let before else { return nil }
        return disk.bytes > before.bytes ? 0 : before.bytes
    }

    /// The most bytes that may be stored where the row is remembered.
    var mostBytes: Int64? {
        guard let before else { return nil }
        return max(before.bytes, disk.bytes)
    }

    var isTotalNew: Bool { before?.total != disk.total }

    /// More than progress has changed.
    var isDescribedAnew: Bool {
        isTotalNew || before?.changeID != disk.changeID || before?.errorMessage != disk.errorMessage
    }
}

/// What a transaction does to rows of disks.
struct DiskRows {
    private(set) var inserts: [DiskRow] = []
    /// Of a job that is remembered all disks, since all are to be compared.
    private(set) var updates: [DiskRow] = []
    private(set) var gone: [(jobID: String, index: Int32)] = []

    /// - Parameter changes: the jobs; those that have rows are counted by the updates' ordinals.
    init(_ changes: [JobChange]) {
        updates.reserveCapacity(changes.count * 2)
        var ordinal = 0
        for change in changes {
            add(change, ordinal: ordinal)
            if change.before != nil { ordinal += 1 }
        }
    }

    private mutating func add(_ change: JobChange, ordinal: Int) {
        let before = change.before?.disks ?? []
        let isNewAttempt = change.before?.attempt != change.after.attempt
        for (place, disk) in change.after.disks.enumerated() {
            // Both are ascending by index, and nearly always the same disks.
            let old =
                place < before.count && before[place].index == disk.index
                ? before[place] : before.first { $0.index == disk.index }
            let row = DiskRow(change, ordinal: ordinal, disk, before: old)
            if old == nil {
                inserts.append(row)
            } else if old != disk || isNewAttempt || change.isRemembered {
                updates.append(row)
            }
        }
        guard !before.elementsEqual(change.after.disks, by: { $0.index == $1.index }) else { return }
        let kept = Set(change.after.disks.map(\.index))
        for disk in before where !kept.contains(disk.index) {
            gone.append((change.after.id.rawValue, disk.index))
        }
    }
}
