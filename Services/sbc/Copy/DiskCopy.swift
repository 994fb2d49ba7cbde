internal import Glibc
internal import Synchronization
internal import Threading

/// Copies one disk: data byte by byte, holes as holes.
final class DiskCopy: Sendable {
    private let disk: PreparedDisk
    private let counters: DiskCounters
    private let settings: CopySettings
    private let limit: RateLimit?
    private let cancellation: Cancellation
    private let onFailure: @Sendable (CopyError) -> Void
    private let dealer: Mutex<PieceDealer>
    private let failure = Mutex<CopyError?>(nil)

    /// A copy that has not begun. `onFailure` is called on a worker's thread at once, since others may hang
    /// in a system call for long.
    init(
        disk: PreparedDisk,
        counters: DiskCounters,
        settings: CopySettings,
        limit: RateLimit?,
        cancellation: Cancellation,
        onFailure: @escaping @Sendable (CopyError) -> Void
    ) {
        self.disk = disk
        self.counters = counters
        self.settings = settings
        self.limit = limit
        self.cancellation = cancellation
        self.onFailure = onFailure
        dealer = Mutex(
            PieceDealer(
                ExtentWalk(disk.source.descriptor, size: disk.size),
                dataLengthMax: settings.pieceLength(bytesPerSecond: limit?.bytesPerSecond)
            )
        )
    }

    /// Copies the disk and makes it durable. Blocks until its workers have ended.
    ///
    /// - Returns: false if the copy was cancelled before the disk was done.
    /// - Throws: `CopyError` with the offset and errno of what failed.
    func run() throws(CopyError) -> Bool {
        counters.set(.transferring)
        try clearTarget()
        let workers = (0..<settings.workersPerDisk).map { number in
            DedicatedThread(name: "copy-\(disk.index)-\(number)") { [self] in work() }
        }
        // Beside the workers, so that counting a fragmented file's data does not hold up its copy.
        countData()
        for worker in workers { worker.join() }
        if let error = failure.withLock({ $0 }) { throw error }
        guard !cancellation.isCancelled else { return false }
        try checkSize()
        guard fdatasync(disk.target.descriptor.number) == 0 else {
            throw fault("cannot make the target \(disk.targetPath) durable (fdatasync)", errno)
        }
        counters.set(.completed)
        return true
    }

    /// Gives a target file the source's size and nothing but holes. A device keeps its content until it is
    /// overwritten.
    private func clearTarget() throws(CopyError) {
        guard !disk.target.isDevice else { return }
        let number = disk.target.descriptor.number
        // Cutting to nothing frees old content on every file system, also where holes cannot be punched.
        if !disk.isTargetNew {
            guard ftruncate(number, 0) == 0 else {
                throw fault("cannot empty the target \(disk.targetPath)", errno)
            }
        }
        guard ftruncate(number, Int(disk.size)) == 0 else {
            throw fault("cannot give the target \(disk.targetPath) its \(disk.size) bytes", errno)
        }
    }

    /// Sums up the source's data. It uses a file description of its own, since SEEK_DATA moves the offset.
    /// Where it fails, the data just stays unknown.
    private func countData() {
        let path = "/proc/self/fd/\(disk.source.descriptor.number)"
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return }
        var walk = ExtentWalk(Descriptor(number), size: disk.size)
        var sum: Int64 = 0
        do throws(SystemError) {
            while let extent = try walk.next() {
                if cancellation.isCancelled { return }
                if extent.isData { sum += extent.length }
            }
        } catch {
            return
        }
        counters.setData(sum)
    }

    /// A source that shrank reads as a hole at its end, so the size must be what it was when it was opened.
    private func checkSize() throws(CopyError) {
        let now = try OpenFile(disk.source.descriptor, path: disk.sourcePath, diskIndex: disk.index)
        guard now.size == disk.size else {
            throw fault(
                "the source \(disk.sourcePath) had \(disk.size) bytes at the start and has \(now.size) now; "
                    + "copy a snapshot, or a disk that is not in use",
                nil
            )
        }
    }

    /// One worker: pieces until there are no more, or somebody failed.
    private func work() {
        let buffer = PieceBuffer(byteCount: settings.pieceLengthMax)
        do throws(CopyError) {
            while !cancellation.isCancelled, failure.withLock({ $0 == nil }), let piece = try nextPiece() {
                if piece.isData {
                    try copy(piece, through: buffer)
                } else {
                    try clear(piece, with: buffer)
                }
            }
        } catch {
            failure.withLock { failure in
                if failure == nil { failure = error }
            }
            onFailure(error)
        }
    }

    private func nextPiece() throws(CopyError) -> Extent? {
        let next: Result<Extent?, SystemError> = dealer.withLock { dealer in
            do throws(SystemError) {
                return .success(try dealer.next())
            } catch {
                return .failure(error)
            }
        }
        switch next {
        case .success(let piece): return piece
        case .failure(let error):
            throw fault("cannot list the data of the source \(disk.sourcePath)", error.number)
        }
    }

    private func copy(_ piece: Extent, through buffer: PieceBuffer) throws(CopyError) {
        limit?.wait(forBytes: piece.length, unless: cancellation)
        guard !cancellation.isCancelled else { return }
        let length = Int(piece.length)
        switch buffer.read(from: disk.source.descriptor, offset: piece.offset, byteCount: length) {
        case .done: break
        case .ended(let at):
            throw fault("the source \(disk.sourcePath) ended at offset \(at): it shrank during the copy", nil)
        case .failed(let at, let number):
            throw fault("cannot read the source \(disk.sourcePath) at offset \(at)", number)
        }
        try write(piece, from: buffer)
        counters.addData(piece.length)
    }

    private func write(_ piece: Extent, from buffer: PieceBuffer) throws(CopyError) {
        let outcome = buffer.write(
            to: disk.target.descriptor,
            offset: piece.offset,
            byteCount: Int(piece.length)
        )
        switch outcome {
        case .done: break
        case .ended(let at):
            throw fault("the target \(disk.targetPath) takes no more bytes at offset \(at)", nil)
        case .failed(let at, let number):
            throw fault("cannot write the target \(disk.targetPath) at offset \(at)", number)
        }
    }

    /// Makes a hole read as zeroes on the target.
    private func clear(_ hole: Extent, with buffer: PieceBuffer) throws(CopyError) {
        guard disk.target.isDevice, !zeroDevice(hole) else {
            // A target file was made of holes at the start.
            counters.addHole(hole.length)
            return
        }
        buffer.clear()
        var offset = hole.offset
        while offset < hole.offset + hole.length, !cancellation.isCancelled {
            let length = min(Int64(settings.pieceLengthMax), hole.offset + hole.length - offset)
            limit?.wait(forBytes: length, unless: cancellation)
            try write(Extent(offset: offset, length: length, isData: true), from: buffer)
            counters.addHole(length)
            offset += length
        }
    }

    /// Has the device zero a stretch itself.
    ///
    /// - Returns: false if it cannot, so that zeroes must be written.
    private func zeroDevice(_ hole: Extent) -> Bool {
        // linux/fs.h: BLKZEROOUT is _IO(0x12, 127); its argument is the offset and length in bytes.
        let blockZeroOut: UInt = 0x127F
        var range = [UInt64(hole.offset), UInt64(hole.length)]
        return unsafe ioctl(disk.target.descriptor.number, blockZeroOut, &range) == 0
    }

    private func fault(_ reason: String, _ number: Int32?) -> CopyError {
        CopyError(diskIndex: disk.index, reason: reason, errorNumber: number)
    }
}
