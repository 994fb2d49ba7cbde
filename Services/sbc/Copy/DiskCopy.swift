internal import Glibc
internal import NBD
internal import Synchronization
internal import Threading

/// Copies one disk: data byte by byte, holes and zeroes as such, over as many connections as both ends allow.
final class DiskCopy: Sendable {
    /// How long a further connection may take. One that does not come is done without: some servers take fewer
    /// clients than they could serve.
    private static let furtherConnectMillisecondsMax = 3000
    private static let bytesPerLaneMin: Int64 = 1 << 20

    let disk: PreparedDisk
    let counters: DiskCounters
    let settings: CopySettings
    let limit: RateLimit?
    let cancellation: Cancellation
    /// Hears what an operator would want to know, on a copy's thread; never anything frequent.
    let onNotice: @Sendable (String) -> Void
    private let onFailure: @Sendable (CopyError) -> Void
    /// Bytes to deal with: a million regions are not to be added up for each of them.
    private let total: Int64
    private let laneCount: Int
    private let dealer: Mutex<StretchDealer>
    private let looked = Mutex<(bytes: Int64, data: Int64)>((0, 0))
    private let prints = Mutex<[PiecePrint]>([])
    private let failure = Mutex<CopyError?>(nil)
    private let hasFailed = Atomic<Bool>(false)

    /// A copy that has not begun. `onFailure` is called on a lane's thread at once, since others may hang in a
    /// system call for long.
    init(
        disk: PreparedDisk,
        counters: DiskCounters,
        settings: CopySettings,
        limit: RateLimit?,
        cancellation: Cancellation,
        onNotice: @escaping @Sendable (String) -> Void,
        onFailure: @escaping @Sendable (CopyError) -> Void
    ) {
        self.disk = disk
        self.counters = counters
        self.settings = settings
        self.limit = limit
        self.cancellation = cancellation
        self.onNotice = onNotice
        self.onFailure = onFailure
        total = disk.total
        let useful = Int(clamping: (total + Self.bytesPerLaneMin - 1) / Self.bytesPerLaneMin)
        laneCount = max(
            1,
            min(
                settings.connectionsPerDisk,
                useful,
                disk.source.connectionCountMax,
                disk.target.connectionCountMax
            )
        )
        dealer = Mutex(StretchDealer(disk.regions, connectionCount: laneCount))
    }

    /// Copies the disk, makes it durable, and reads it back where that is asked for. Blocks until its lanes have
    /// ended.
    ///
    /// - Returns: false if the copy was cancelled before the disk was done.
    /// - Throws: `CopyError` with the offset and errno of what failed.
    func run() throws(CopyError) -> Bool {
        counters.set(.transferring)
        counters.noteTouched()
        noteLooked(bytes: 0, data: 0)
        try clearTarget()
        try runOnThreads(laneCount) { [self] number throws(CopyError) in
            try lane(number)?.run()
        } meanwhile: { [self] in
            countData()
        }
        guard !cancellation.isCancelled else { return false }
        try checkSize()
        try makeDurable()
        if settings.isVerifying {
            try readBack()
            guard !cancellation.isCancelled else { return false }
        }
        try checkTarget()
        disk.unlockTarget()
        counters.set(.completed)
        return true
    }

    /// Whether the lanes are to give up.
    var isStopped: Bool { cancellation.isCancelled || hasFailed.load(ordering: .acquiring) }

    /// The next stretch to copy. nil when all is dealt out.
    func nextRange() -> Range<Int64>? {
        dealer.withLock { $0.next() }
    }

    /// A lane knows what a stretch of an export holds. What nobody has looked at yet counts as data, so that the
    /// time to go is what it will be at most. A file is looked through at once.
    func noteLooked(bytes: Int64, data: Int64) {
        guard case .nbd = disk.source else { return }
        looked.withLock { looked in
            looked.bytes += bytes
            looked.data += data
            counters.setData(looked.data + total - looked.bytes)
        }
    }

    /// Remembers what pieces held.
    func keep(_ made: [PiecePrint]) {
        prints.withLock { $0 += made }
    }

    func fault(_ reason: String, _ number: Int32?) -> CopyError {
        CopyError(diskIndex: disk.index, reason: reason, errorNumber: number)
    }

    // MARK: - Threads

    /// Runs a body on threads of their own and waits for all of them. The first failure stops the others.
    private func runOnThreads(
        _ count: Int,
        _ body: @escaping @Sendable (Int) throws(CopyError) -> Void,
        meanwhile: () -> Void = {}
    ) throws(CopyError) {
        let threads = (0..<count).map { number in
            DedicatedThread(name: "copy-\(disk.index)-\(number)") { [self] in
                do throws(CopyError) {
                    try body(number)
                } catch {
                    fail(error)
                }
            }
        }
        meanwhile()
        for thread in threads { thread.join() }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private func fail(_ error: CopyError) {
        failure.withLock { failure in
            if failure == nil { failure = error }
        }
        hasFailed.store(true, ordering: .releasing)
        onFailure(error)
    }

    /// A lane with connections of its own. nil if it is a further one that gets none.
    private func lane(_ number: Int) throws(CopyError) -> CopyLane? {
        // A further lane that comes when all is dealt out would find nothing to do.
        let isEnough = { [self] in number > 0 && dealer.withLock { $0.isDry } }
        guard let source = try connect(disk.source, number, role: "source", isEnough: isEnough),
            let target = try connect(disk.target, number, role: "target", isEnough: isEnough)
        else { return nil }
        let laneSource: LaneSource
        switch source {
        case .file(let file): laneSource = .file(file)
        case .nbd(let end, let connection): laneSource = .nbd(end, connection)
        }
        let laneTarget: LaneTarget
        switch target {
        case .file(let file):
            let isBlank = !file.isDevice && disk.changes == nil
            laneTarget = .file(TargetFile(file: file, isBlank: isBlank, diskSize: disk.size))
        case .nbd(let end, let connection): laneTarget = .nbd(end, connection)
        }
        return CopyLane(job: self, source: laneSource, target: laneTarget)
    }

    private func connect(
        _ end: DiskEnd,
        _ number: Int,
        role: String,
        isEnough: () -> Bool = { false }
    ) throws(CopyError) -> LaneSource? {
        switch end {
        case .file(let file): return .file(file)
        case .nbd(let export):
            if number == 0, let first = export.takeFirst() { return .nbd(export, first) }
            do throws(NBDError) {
                let connection = try export.connect(
                    timeoutMilliseconds: number == 0
                        ? PreparedDisk.connectMillisecondsMax : Self.furtherConnectMillisecondsMax
                ) { isStopped || isEnough() }
                return .nbd(export, connection)
            } catch {
                // The first of a pass: without it there is none, so it is waited for as one that was lost.
                guard number > 0 else {
                    let connection = try connectAgain(
                        to: export,
                        role: role,
                        lostAtMilliseconds: MonotonicClock.nowMilliseconds,
                        offset: nil
                    )
                    return connection.map { .nbd(export, $0) }
                }
                if error.code != ECANCELED {
                    onNotice("connection \(number + 1) to \(export.uri) is done without: \(error)")
                }
                return nil
            }
        }
    }

    // MARK: - Before and after

    /// Gives a target file the source's size and nothing but holes. A device or an export keeps its content
    /// until it is overwritten, and so does the target of an incremental copy.
    private func clearTarget() throws(CopyError) {
        guard case .file(let file) = disk.target, !file.isDevice else { return }
        // An incremental copy only lets a target grow with its source.
        guard disk.changes == nil || file.size < disk.size else { return }
        let number = file.descriptor.number
        // Cutting to nothing frees old content on every file system, also where holes cannot be punched.
        if !disk.isTargetNew && disk.changes == nil {
            guard ftruncate(number, 0) == 0 else {
                throw fault("cannot empty the target \(file.path)", errno)
            }
        }
        guard ftruncate(number, Int(disk.size)) == 0 else {
            throw fault("cannot give the target \(file.path) its \(disk.size) bytes", errno)
        }
    }

    /// Sums up a source file's data, beside the lanes. Where it fails, the data just stays unknown until the lanes
    /// have looked at all of it.
    private func countData() {
        guard case .file(let file) = disk.source else { return }
        var sum: Int64 = 0
        do throws(SystemError) {
            for region in disk.regions {
                var walk = ExtentWalk(file.descriptor, region)
                while let extent = try walk.next() {
                    if isStopped { return }
                    if extent.isData { sum += extent.length }
                }
            }
        } catch {
            return
        }
        counters.setData(sum)
    }

    /// A source that shrank reads as a hole at its end, so the size must be what it was when it was opened.
    private func checkSize() throws(CopyError) {
        guard case .file(let file) = disk.source else { return }
        let now = try OpenFile(file.descriptor, path: file.path, diskIndex: disk.index)
        guard now.size == disk.size else {
            throw fault(
                "the source \(file.path) had \(disk.size) bytes at the start and has \(now.size) now; "
                    + "copy a snapshot, or a disk that is not in use",
                nil
            )
        }
    }

    /// What was written may have lost its name meanwhile, or been cut: then it is no backup that anybody will find.
    private func checkTarget() throws(CopyError) {
        guard case .file(let file) = disk.target else { return }
        var status = stat()
        guard unsafe stat(file.path, &status) == 0 else {
            throw fault("the target \(file.path) was removed or renamed during the copy", errno)
        }
        guard FileIdentity(status) == file.identity else {
            throw fault("the target \(file.path) was replaced by another during the copy", nil)
        }
        let now = try OpenFile(file.descriptor, path: file.path, diskIndex: disk.index)
        let expected = disk.changes == nil && !file.isDevice ? disk.size : max(disk.size, file.size)
        guard now.size == expected else {
            throw fault(
                "the target \(file.path) has \(now.size) bytes instead of \(expected): it was cut or extended "
                    + "during the copy",
                nil
            )
        }
    }

    /// An export was flushed by each lane, on the connection that it wrote on.
    private func makeDurable() throws(CopyError) {
        guard case .file(let file) = disk.target else { return }
        guard fdatasync(file.descriptor.number) == 0 else {
            throw fault("cannot make the target \(file.path) durable (fdatasync)", errno)
        }
    }

    private func readBack() throws(CopyError) {
        if case .file(let file) = disk.target {
            // From the disk, not from memory, as far as the system obliges.
            _ = posix_fadvise(file.descriptor.number, 0, 0, POSIX_FADV_DONTNEED)
        }
        let made = prints.withLock { $0 }.sorted { $0.offset < $1.offset }
        let turn = Turn()
        try runOnThreads(laneCount) { [self] number throws(CopyError) in
            guard let end = try connect(disk.target, number, role: "target") else { return }
            try ReadBack(job: self, target: end, prints: made, turn: turn).run()
        }
    }
}

extension PreparedDisk {
    /// What is to be copied.
    var regions: [Range<Int64>] { changes ?? (size > 0 ? [0..<size] : []) }
}
