internal import Glibc

/// How much a copy does at once, and how long it insists.
struct CopySettings: Sendable {
    /// Disks that are copied side by side; the others wait their turn.
    var disksAtOnce = 4
    /// Connections to each server, each with a thread of its own; as many threads where there is no server.
    var connectionsPerDisk = CopySettings.defaultConnectionCount
    /// Requests in flight per connection.
    var requestsPerConnection = 4
    /// The most bytes that one request moves. Larger ones save a server work, smaller ones stay in the caches.
    var requestLengthMax: Int64 = 2 << 20
    /// The most bytes that one request moves from file to file, where no server's work is to be saved.
    var fileRequestLengthMax: Int64 = 256 << 10
    /// Data that is written on a connection without a flush, in bytes: what a server that died may have to be told
    /// again. It also has the target's system write to its disk meanwhile, and not all of it at the end.
    var unflushedLengthMax: Int64 = 128 << 20
    /// Read and write files and block devices past the system's cache.
    var isDirect = false
    /// Have a server make each write durable before it answers (FUA), where it can.
    var isForcing = false
    /// Hash what is copied, and read it back afterwards.
    var isVerifying = false
    /// How often, and for how long, what failed is tried again.
    var retry = RetryRule()

    /// A connection more than there are processors to serve it only makes them change between threads.
    static let defaultConnectionCount = max(1, min(4, sysconf(Int32(_SC_NPROCESSORS_ONLN))))

    /// The most bytes of memory for requests that options may come to.
    static let memoryByteCountMax: Int64 = 2 << 30

    /// The most bytes of memory that requests in flight may take.
    func bufferByteCountMax(diskCount: Int) -> Int64 {
        Int64(min(disksAtOnce, diskCount) * connectionsPerDisk * requestsPerConnection) * requestLengthMax
    }

    /// Bytes per request of data: an eighth of a second's worth under a rate limit, so that progress is smooth.
    func requestLength(for disk: PreparedDisk, bytesPerSecond: Int64?) -> Int64 {
        let largest = min(
            disk.isFileToFile && !disk.isDirect ? fileRequestLengthMax : requestLengthMax,
            disk.source.requestLengthMax,
            disk.target.requestLengthMax
        )
        let unit = max(4096, disk.blockSize)
        let whole = max(disk.blockSize, largest / unit * unit)
        guard let bytesPerSecond else { return whole }
        return min(whole, max(unit, bytesPerSecond / 8 / unit * unit))
    }
}

extension PreparedDisk {
    /// An end is read or written past the system's cache, where each system call waits for the disk.
    var isDirect: Bool { source.isDirect || target.isDirect }

    /// No server is involved.
    var isFileToFile: Bool {
        if case .file = source, case .file = target { true } else { false }
    }
}
