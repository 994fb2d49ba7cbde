internal import CLinux
internal import Glibc

/// A way to a file or block device past the system's cache (O_DIRECT of `open(2)`).
struct DirectAccess: Sendable {
    /// The largest unit that the copy's own runs of zeroes are multiples of.
    private static let unitMax = Run.unit

    let descriptor: Descriptor
    /// What offsets and lengths go by, in bytes. At least a page: what goes past the cache then never shares one with
    /// what goes through it.
    let unit: Int64

    /// Opens the file once more.
    ///
    /// - Throws: `CopyError` where its file system does no direct I/O.
    init(to file: OpenFile, isWritable: Bool, diskIndex: Int) throws(CopyError) {
        let refusal = "the file system of \(file.path) does no direct I/O; leave out --direct"
        // Not O_EXCL: on a block device the first descriptor holds that.
        let flags = (isWritable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | sendense_o_direct()
        let number = unsafe open(file.path, flags)
        guard number >= 0 else {
            throw CopyError(
                diskIndex: diskIndex,
                reason: errno == EINVAL ? refusal : "cannot open \(file.path) for direct I/O",
                errorNumber: errno
            )
        }
        descriptor = Descriptor(number)
        guard try OpenFile(descriptor, path: file.path, diskIndex: diskIndex).identity == file.identity else {
            throw CopyError(diskIndex: diskIndex, reason: "\(file.path) was replaced while it was opened")
        }
        let told = sendense_direct_unit(number)
        // Where nothing is said: no file system or device with larger blocks than a page is older than the question.
        unit = max(Int64(sysconf(Int32(_SC_PAGESIZE))), told)
        guard told != 0, unit <= Self.unitMax else {
            throw CopyError(diskIndex: diskIndex, reason: refusal)
        }
    }
}

extension OpenFile {
    /// The same file, read and written past the system's cache as far as alignment allows.
    func direct(isWritable: Bool, diskIndex: Int) throws(CopyError) -> OpenFile {
        var file = self
        file.direct = try DirectAccess(to: self, isWritable: isWritable, diskIndex: diskIndex)
        return file
    }

    /// What offsets and lengths go by, in bytes.
    var unit: Int64 { direct?.unit ?? 1 }

    /// The most bytes of one system call through the cache. Measured: larger ones leave the processor's cache, and
    /// cost up to four times as much.
    private static let cachedLengthMax = 256 << 10

    /// How the next bytes of a transfer go, and how many of them: past the cache what is aligned, and through it what
    /// is left at the disk's end.
    func way(offset: Int64, byteCount: Int) -> (descriptor: Int32, byteCount: Int) {
        if let direct, offset % direct.unit == 0, byteCount >= Int(direct.unit) {
            return (direct.descriptor.number, byteCount / Int(direct.unit) * Int(direct.unit))
        }
        return (descriptor.number, min(Self.cachedLengthMax, byteCount))
    }
}

extension DiskEnd {
    /// The same end; a file or device past the system's cache.
    func direct(isWritable: Bool, diskIndex: Int) throws(CopyError) -> DiskEnd {
        guard case .file(let file) = self else { return self }
        return .file(try file.direct(isWritable: isWritable, diskIndex: diskIndex))
    }
}
