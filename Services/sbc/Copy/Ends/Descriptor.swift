internal import CLinux
internal import Glibc

/// Owns a file descriptor. Sharing it between threads is fine: it is never changed, and closed when the last
/// owner lets go.
final class Descriptor: Sendable {
    let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    deinit {
        // A lock (flock, OFD) is not left to close: a process that another thread is starting has a copy of the descriptor
        // until it executes its program, and would hold the lock so long.
        flock(number, LOCK_UN)
        _ = sendense_unlock_whole(number)
        close(number)
    }
}

/// What a descriptor refers to, whatever its path: two of the same identity are one file or device.
struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let number: UInt64
    private let isDevice: Bool

    init(_ status: stat) {
        isDevice = status.st_mode & S_IFMT == S_IFBLK
        device = UInt64(isDevice ? status.st_rdev : status.st_dev)
        number = isDevice ? 0 : UInt64(status.st_ino)
    }

    private init(device: UInt64) {
        isDevice = true
        self.device = device
        number = 0
    }

    /// A block device by its number.
    static func device(_ number: UInt64) -> FileIdentity { FileIdentity(device: number) }

    /// The number of a block device. nil: it is a file.
    var deviceNumber: UInt64? { isDevice ? device : nil }

    /// The inode of a file. nil: it is a device.
    var inode: UInt64? { isDevice ? nil : number }
}

/// An open source or target, with what fstat told.
struct OpenFile: Sendable {
    let path: String
    let descriptor: Descriptor
    let identity: FileIdentity
    let isDevice: Bool
    /// Bytes.
    let size: Int64
    /// Where it is read and written past the system's cache.
    var direct: DirectAccess?

    /// Looks at an open descriptor.
    ///
    /// - Throws: `CopyError` if it is neither a regular file nor a block device, or tells no size.
    init(_ descriptor: Descriptor, path: String, diskIndex: Int) throws(CopyError) {
        var status = stat()
        guard unsafe fstat(descriptor.number, &status) == 0 else {
            throw CopyError(diskIndex: diskIndex, reason: "cannot look at \(path)", errorNumber: errno)
        }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG || kind == S_IFBLK else {
            let name = kind == S_IFDIR ? "a directory" : "neither a file nor a block device"
            throw CopyError(
                diskIndex: diskIndex,
                reason: "\(path) is \(name); give a file, a block device or an NBD URI"
            )
        }
        self.path = path
        self.descriptor = descriptor
        identity = FileIdentity(status)
        isDevice = kind == S_IFBLK
        if isDevice {
            // The end of a block device is its size; it needs no ioctl.
            let end = lseek(descriptor.number, 0, SEEK_END)
            guard end >= 0 else {
                throw CopyError(
                    diskIndex: diskIndex,
                    reason: "cannot tell the size of \(path)",
                    errorNumber: errno
                )
            }
            size = Int64(end)
        } else {
            size = Int64(status.st_size)
        }
    }
}
