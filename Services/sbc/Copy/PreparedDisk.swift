internal import Glibc

/// A disk whose source and target are open and checked, and of which nothing has been changed yet.
struct PreparedDisk: Sendable {
    let index: Int
    let sourcePath: String
    let targetPath: String
    let source: OpenFile
    let target: OpenFile
    /// The target was made by us, so it is empty.
    let isTargetNew: Bool

    /// Bytes to deal with: the source's size when it was opened.
    var size: Int64 { source.size }

    /// Opens a disk's source and target.
    ///
    /// - Throws: `CopyError` naming the disk, the path and the errno.
    static func open(index: Int, source: Endpoint, target: Endpoint) throws(CopyError) -> PreparedDisk {
        let sourcePath = try source.path(diskIndex: index, role: "source")
        let targetPath = try target.path(diskIndex: index, role: "target")
        // Opening a FIFO would wait for its other end, for ever; files and devices do not know O_NONBLOCK.
        let sourceNumber = unsafe Glibc.open(sourcePath, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard sourceNumber >= 0 else {
            throw CopyError(
                diskIndex: index,
                reason: "cannot open the source \(sourcePath)",
                errorNumber: errno
            )
        }
        let sourceFile = try OpenFile(Descriptor(sourceNumber), path: sourcePath, diskIndex: index)
        // A hint only: where it is not taken, reading works all the same.
        _ = posix_fadvise(sourceNumber, 0, 0, POSIX_FADV_SEQUENTIAL)
        let (targetDescriptor, isNew) = try openTarget(targetPath, diskIndex: index)
        let targetFile = try OpenFile(targetDescriptor, path: targetPath, diskIndex: index)
        guard !targetFile.isDevice || targetFile.size >= sourceFile.size else {
            throw CopyError(
                diskIndex: index,
                reason: "the target \(targetPath) has \(targetFile.size) bytes, the source \(sourcePath) has "
                    + "\(sourceFile.size); give a device that is as large"
            )
        }
        return PreparedDisk(
            index: index,
            sourcePath: sourcePath,
            targetPath: targetPath,
            source: sourceFile,
            target: targetFile,
            isTargetNew: isNew
        )
    }

    private static func openTarget(_ path: String, diskIndex: Int) throws(CopyError) -> (Descriptor, Bool) {
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
        var status = stat()
        let isDevice = unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFBLK
        // On a block device, O_EXCL without O_CREAT refuses one that is mounted or in use (open(2)).
        let existing = unsafe Glibc.open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | (isDevice ? O_EXCL : 0))
        guard existing >= 0 else {
            throw CopyError(
                diskIndex: diskIndex,
                reason: "cannot open the target \(path)",
                errorNumber: errno
            )
        }
        return (Descriptor(existing), false)
    }

    /// Refuses disks of which one's target is also a source, or the target of another, in this run or in another
    /// one: two copies into one target would both end well, and leave neither's content.
    static func check(_ disks: [PreparedDisk]) throws(CopyError) {
        for disk in disks {
            for other in disks where other.source.identity == disk.target.identity {
                throw CopyError(
                    diskIndex: disk.index,
                    reason: "the target \(disk.targetPath) is the same file as the source "
                        + "\(other.sourcePath) of disk \(other.index); give another target"
                )
            }
            for other in disks where other.index < disk.index && other.target.identity == disk.target.identity
            {
                throw CopyError(
                    diskIndex: disk.index,
                    reason: "the target \(disk.targetPath) is also the target of disk \(other.index); "
                        + "give each disk its own"
                )
            }
        }
        for disk in disks {
            // Held as long as the target is open.
            guard flock(disk.target.descriptor.number, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
                throw CopyError(
                    diskIndex: disk.index,
                    reason:
                        "the target \(disk.targetPath) is being written by another run; give another target, "
                        + "or wait for that run to end"
                )
            }
        }
    }
}
