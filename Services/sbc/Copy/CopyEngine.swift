internal import Glibc
internal import Synchronization
internal import Threading

/// Copies all disks of a job on threads of its own.
final class CopyEngine: Sendable {
    private let disks: [PreparedDisk]
    private let counters: JobCounters
    private let settings: CopySettings
    private let limit: RateLimit?
    private let cancellation: Cancellation
    private let onNotice: @Sendable (String) -> Void
    private let onDiskBegins: @Sendable (PreparedDisk) -> Void
    private let onDiskCompleted: @Sendable (Int) -> Void
    private let onFailure: @Sendable (CopyError) -> Void
    private let nextDisk = Atomic<Int>(0)
    private let running = Atomic<Int>(0)
    private let finished = Latch()

    /// An engine that has not started. On its threads it calls `onNotice` with rare words for the log,
    /// `onDiskBegins` before a disk's target is changed, `onDiskCompleted` when a disk is durable on its target, and
    /// `onFailure` with the first failure, while other disks may still be stopping.
    init(
        disks: [PreparedDisk],
        counters: JobCounters,
        settings: CopySettings = CopySettings(),
        limit: RateLimit?,
        cancellation: Cancellation,
        onNotice: @escaping @Sendable (String) -> Void = { _ in },
        onDiskBegins: @escaping @Sendable (PreparedDisk) -> Void = { _ in },
        onDiskCompleted: @escaping @Sendable (Int) -> Void = { _ in },
        onFailure: @escaping @Sendable (CopyError) -> Void = { _ in }
    ) {
        self.disks = disks
        self.counters = counters
        self.settings = settings
        self.limit = limit
        self.cancellation = cancellation
        self.onNotice = onNotice
        self.onDiskBegins = onDiskBegins
        self.onDiskCompleted = onDiskCompleted
        self.onFailure = onFailure
    }

    /// Begins to copy. Call it once.
    func start() {
        let threadCount = min(settings.disksAtOnce, disks.count)
        guard threadCount > 0 else { return finished.open() }
        running.store(threadCount, ordering: .releasing)
        for number in 0..<threadCount {
            _ = DedicatedThread(name: "copy-\(number)") { [self] in copyDisks() }
        }
    }

    /// Waits until every disk is done or stopped, or the time is up.
    ///
    /// - Returns: whether every disk is.
    func wait(milliseconds: Int) -> Bool {
        finished.wait(milliseconds: milliseconds)
    }

    /// Makes the names of new target files durable: fdatasync of a file does not cover its directory.
    ///
    /// - Parameter isMeant: whether a disk, by its index, is meant.
    /// - Throws: `CopyError` naming the directory and the errno.
    func syncDirectories(where isMeant: (Int) -> Bool = { _ in true }) throws(CopyError) {
        for disk in disks where disk.isTargetNew && isMeant(disk.index) {
            let directory = parent(of: disk.target.name)
            let number = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard number >= 0 else {
                throw CopyError(
                    diskIndex: disk.index,
                    reason: "cannot open the directory \(directory)",
                    errorNumber: errno
                )
            }
            let descriptor = Descriptor(number)
            // EINVAL: a file system that has nothing to sync for a directory.
            guard fsync(descriptor.number) == 0 || errno == EINVAL else {
                throw CopyError(
                    diskIndex: disk.index,
                    reason: "cannot make the directory \(directory) durable (fsync)",
                    errorNumber: errno
                )
            }
        }
    }

    private func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// One thread's work: disk after disk, until there are none or the copy is cancelled.
    private func copyDisks() {
        while !cancellation.isCancelled {
            let index = nextDisk.add(1, ordering: .relaxed).oldValue
            guard index < disks.count else { break }
            let disk = disks[index]
            let copy = DiskCopy(
                disk: disk,
                counters: counters.disks[index],
                settings: settings,
                limit: limit,
                cancellation: cancellation,
                onNotice: onNotice,
                onFailure: { [self] in fail($0) }
            )
            do throws(CopyError) {
                onDiskBegins(disk)
                if try copy.run() { onDiskCompleted(disk.index) }
            } catch {
                fail(error)
            }
        }
        if running.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { finished.open() }
    }

    private func fail(_ error: CopyError) {
        counters.disks[error.diskIndex].set(.failed)
        if cancellation.cancel(.failed(error)) { onFailure(error) }
    }
}
