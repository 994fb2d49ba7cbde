internal import Glibc
internal import NBD

/// A disk whose source and target are open and checked, and of which nothing has been changed yet.
struct PreparedDisk: Sendable {
    /// How long a server may take to answer at the start.
    static let connectMillisecondsMax = 15_000

    let index: Int
    let source: DiskEnd
    let target: DiskEnd
    /// The target was made by us, so it is empty.
    let isTargetNew: Bool
    /// What to copy, in rising order, without overlap. nil: all of it.
    var changes: [Range<Int64>]?
    /// Keeps other runs out of an export that is written to.
    var targetLock: Descriptor?

    /// Bytes of the disk: the source's size when it was opened.
    var size: Int64 { source.size }

    /// Bytes to deal with, added up anew each time.
    var total: Int64 { changes.map { $0.reduce(0) { $0 + Int64($1.count) } } ?? size }

    /// Offsets and lengths of requests must be multiples of it at both ends, in bytes.
    var blockSize: Int64 { max(source.blockSize, target.blockSize) }

    /// Opens a disk's source and target. `isDirect` has files and devices read and written past the system's cache.
    ///
    /// - Throws: `CopyError` naming the disk, the path or URI and the cause.
    static func open(
        index: Int,
        source: Endpoint,
        target: Endpoint,
        changes: ChangeSource? = nil,
        isDirect: Bool = false,
        isStopped: () -> Bool = { false }
    ) throws(CopyError) -> PreparedDisk {
        // The bitmap is asked for on the source's one connection: a server may take no second.
        var contexts = [NBDContext.allocation]
        if case .bitmap(let name) = changes { contexts.append(NBDContext.dirtyBitmap(name)) }
        var sourceEnd = try openSource(source, contexts: contexts, diskIndex: index, isStopped: isStopped)
        guard sourceEnd.size <= DiskEnd.sizeMax else {
            throw CopyError(
                diskIndex: index,
                reason: "the source \(sourceEnd.name) has \(sourceEnd.size) bytes, and a disk "
                    + "\(DiskEnd.sizeMax) at most; is it the right one?"
            )
        }
        // Before the target is made.
        if isDirect { sourceEnd = try sourceEnd.direct(isWritable: false, diskIndex: index) }
        let (openedTarget, isNew) = try openTarget(
            target,
            diskIndex: index,
            mustExist: changes != nil,
            isStopped: isStopped
        )
        var targetEnd = openedTarget
        if isDirect { targetEnd = try targetEnd.direct(isWritable: true, diskIndex: index) }
        if case .file(let file) = targetEnd, !file.isDevice {
            // A file is given the size that it needs.
        } else if targetEnd.size < sourceEnd.size {
            throw CopyError(
                diskIndex: index,
                reason: "the target \(targetEnd.name) has \(targetEnd.size) bytes, the source "
                    + "\(sourceEnd.name) has \(sourceEnd.size); give a target that is as large"
            )
        }
        var disk = PreparedDisk(index: index, source: sourceEnd, target: targetEnd, isTargetNew: isNew)
        if let changes { disk.changes = try regions(of: changes, in: disk, isStopped: isStopped) }
        return disk
    }

    private static func regions(
        of changes: ChangeSource,
        in disk: PreparedDisk,
        isStopped: () -> Bool
    ) throws(CopyError) -> [Range<Int64>] {
        let list: ChangeList
        switch changes {
        case .list(let given): list = given
        case .bitmap(let name):
            guard case .nbd(let end) = disk.source else {
                throw CopyError(
                    diskIndex: disk.index,
                    reason: "the source \(disk.source.name) is no NBD export, so it has no dirty bitmap "
                        + "\(name); give a changed-block list"
                )
            }
            do throws(NBDError) {
                guard let connection = end.takeFirst() else {
                    throw NBDError(operation: "read the dirty bitmap", code: 0, message: "it is in use")
                }
                list = try BitmapReader.read(name, over: connection, isStopped: isStopped)
                end.giveBack(connection)
            } catch {
                throw CopyError(
                    diskIndex: disk.index,
                    reason: "cannot read the changes of the source \(end.uri): \(error)"
                )
            }
        }
        do throws(ChangeList.Fault) {
            return try list.regions(size: disk.size, blockSize: disk.blockSize)
        } catch {
            throw CopyError(diskIndex: disk.index, reason: "the changed-block list: \(error)")
        }
    }

    private static func openSource(
        _ source: Endpoint,
        contexts: [String],
        diskIndex: Int,
        isStopped: () -> Bool
    ) throws(CopyError) -> DiskEnd {
        switch source {
        case .uri(let uri):
            return .nbd(
                try openExport(
                    uri,
                    role: "source",
                    contexts: contexts,
                    diskIndex: diskIndex,
                    isStopped: isStopped
                )
            )
        case .path(let path):
            // Opening a FIFO would wait for its other end, for ever; files and devices do not know O_NONBLOCK.
            let number = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            guard number >= 0 else {
                throw CopyError(
                    diskIndex: diskIndex,
                    reason: "cannot open the source \(path)",
                    errorNumber: errno
                )
            }
            let file = try OpenFile(Descriptor(number), path: path, diskIndex: diskIndex)
            // A hint only: where it is not taken, reading works all the same.
            _ = posix_fadvise(number, 0, 0, POSIX_FADV_SEQUENTIAL)
            return .file(file)
        }
    }

    private static func openTarget(
        _ target: Endpoint,
        diskIndex: Int,
        mustExist: Bool,
        isStopped: () -> Bool
    ) throws(CopyError) -> (DiskEnd, isNew: Bool) {
        switch target {
        case .uri(let uri):
            let end = try openExport(uri, role: "target", diskIndex: diskIndex, isStopped: isStopped)
            guard !end.export.isReadOnly else {
                throw CopyError(
                    diskIndex: diskIndex,
                    reason: "the target \(uri) is exported read-only; export it for writing"
                )
            }
            return (.nbd(end), false)
        case .path(let path):
            let (descriptor, isNew) = try openTargetFile(path, diskIndex: diskIndex, mustExist: mustExist)
            return (.file(try OpenFile(descriptor, path: path, diskIndex: diskIndex)), isNew)
        }
    }

    private static func openExport(
        _ uri: String,
        role: String,
        contexts: [String] = [NBDContext.allocation],
        diskIndex: Int,
        isStopped: () -> Bool
    ) throws(CopyError) -> NBDEnd {
        do throws(NBDError) {
            let connection = try NBDConnection(
                uri: uri,
                contexts: contexts,
                timeoutMilliseconds: connectMillisecondsMax,
                isStopped: isStopped
            )
            return NBDEnd(uri: uri, connection: connection)
        } catch {
            // Where a unix socket is not there, nobody listens yet; of an export, ENOENT says that its name is wrong.
            var isAway = RetryRule.isAway(error.code)
            if error.code == ENOENT, case .export(.other, _) = EndIdentity(uri: uri) { isAway = true }
            throw CopyError(
                diskIndex: diskIndex,
                reason: "cannot open the \(role) \(uri): \(error)",
                isServerAway: isAway
            )
        }
    }

    private static func openTargetFile(
        _ path: String,
        diskIndex: Int,
        mustExist: Bool
    ) throws(CopyError) -> (Descriptor, Bool) {
        if !mustExist {
            // A disk's content is as private as the machine it comes from: mode 0600.
            let created = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            if created >= 0 { return (Descriptor(created), true) }
            guard errno == EEXIST else {
                throw CopyError(
                    diskIndex: diskIndex,
                    reason: "cannot create the target \(path)",
                    errorNumber: errno
                )
            }
        }
        var status = stat()
        let isDevice = unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFBLK
        // On a block device, O_EXCL without O_CREAT refuses one that is mounted or in use (open(2)).
        let existing = unsafe Glibc.open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | (isDevice ? O_EXCL : 0))
        guard existing >= 0 else {
            throw CopyError(
                diskIndex: diskIndex,
                reason: mustExist && errno == ENOENT
                    ? "cannot open the target \(path), which an incremental backup brings up to date; make a full "
                        + "one first"
                    : "cannot open the target \(path)",
                errorNumber: errno
            )
        }
        return (Descriptor(existing), false)
    }

    /// Locks the target if it is an export.
    ///
    /// - Parameters:
    ///   - directory: the state folder.
    ///   - jobID: the job that writes.
    /// - Returns: why it may not be written: another run does. nil if it is ours.
    /// - Throws: `StateError` where no lock can be kept.
    mutating func lockTarget(directory: String, jobID: String) throws(StateError) -> CopyError? {
        guard case .nbd(let end) = target else { return nil }
        switch try TargetLock.take(uri: end.uri, directory: directory, jobID: jobID) {
        case .taken(let lock):
            targetLock = lock
            return nil
        case .held(let holder):
            return CopyError(
                diskIndex: index,
                reason:
                    "the target \(end.uri) is being written by \(holder); give another target, or wait for "
                    + "that run to end"
            )
        }
    }

    /// Refuses disks of which one's target is also a source, or the target of another, in this run or in another
    /// one, or in use by another program: two copies into one target would both end well, and leave neither's content.
    /// Nothing has been changed before.
    static func check(_ disks: [PreparedDisk]) throws(CopyError) {
        for disk in disks {
            for other in disks where other.source.identity == disk.target.identity {
                throw CopyError(
                    diskIndex: disk.index,
                    reason: "the target \(disk.target.name) is the same disk as the source "
                        + "\(other.source.name) of disk \(other.index); give another target"
                )
            }
            for other in disks where other.index < disk.index && other.target.identity == disk.target.identity
            {
                throw CopyError(
                    diskIndex: disk.index,
                    reason: "the target \(disk.target.name) is also the target of disk \(other.index); "
                        + "give each disk its own"
                )
            }
        }
        for disk in disks {
            guard case .file(let file) = disk.target else { continue }
            // Held as long as the target is open.
            guard flock(file.descriptor.number, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
                throw CopyError(
                    diskIndex: disk.index,
                    reason:
                        "the target \(file.path) is being written by \(TargetLock.holder(of: file)); "
                        + "give another target, or wait for that run to end"
                )
            }
        }
        for disk in disks { try disk.checkUse(among: disks) }
    }
}
