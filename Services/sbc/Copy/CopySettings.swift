/// How much a copy does at once, and how long it insists.
struct CopySettings: Sendable {
    /// Disks that are copied side by side; the others wait their turn.
    var disksAtOnce = 4
    /// Connections to each server, each with a thread of its own; as many threads where there is no server.
    var connectionsPerDisk = 4
    /// Requests in flight per connection.
    var requestsPerConnection = 16
    /// The most bytes that one request moves.
    var requestLengthMax: Int64 = 256 << 10
    /// The most bytes that one request moves within the kernel, from file to file.
    var kernelRequestLengthMax: Int64 = 4 << 20
    /// Data that has been written without a flush, per connection: what a server that died may have to be told
    /// again.
    var unflushedLengthMax: Int64 = 4 << 30
    /// Hash what is copied, and read it back afterwards.
    var isVerifying = false
    /// How often, and for how long, what failed is tried again.
    var retry = RetryRule()

    /// Bytes per request of data: an eighth of a second's worth under a rate limit, so that progress is smooth.
    func requestLength(for disk: PreparedDisk, bytesPerSecond: Int64?) -> Int64 {
        let isInKernel = disk.isFileToFile && !isVerifying
        let largest = min(
            isInKernel ? kernelRequestLengthMax : requestLengthMax,
            disk.source.requestLengthMax,
            disk.target.requestLengthMax
        )
        guard let bytesPerSecond else { return largest }
        let unit = max(4096, disk.blockSize)
        return min(largest, max(unit, bytesPerSecond / 8 / unit * unit))
    }
}

extension PreparedDisk {
    /// No server is involved.
    var isFileToFile: Bool {
        if case .file = source, case .file = target { true } else { false }
    }
}
