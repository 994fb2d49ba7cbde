internal import Glibc
internal import Synchronization
internal import Threading

/// Writes to a descriptor and never waits for whoever reads it.
///
/// A terminal that was stopped, a pipe that nobody empties or an ssh that froze takes nothing for as long as it
/// likes. So what is written waits in a bounded queue, which a thread of its own empties. A regular file has no reader
/// to wait for: it is written at once, so that it has what was said before a crash.
public final class StreamWriter: Sendable {
    /// The most bytes that wait; what comes on top is refused.
    public static let byteCountMax = 1 << 20

    private struct State {
        var queue: [[UInt8]] = []
        /// Of the queue and of what the thread is writing now.
        var byteCount = 0
        var hasThread = false
        /// Somebody has waited for it in vain: nobody does again.
        var isGivenUp = false
    }

    private let fileDescriptor: Int32
    private let isOwned: Bool
    private let isFile: Bool
    private let state = Mutex(State())
    private let changed = Condition()

    /// Writes to a descriptor.
    ///
    /// - Parameters:
    ///   - fileDescriptor: an open one, which must stay open as long as this is used.
    ///   - isOwned: whether it is closed with this.
    public init(fileDescriptor: Int32, isOwned: Bool = false) {
        self.fileDescriptor = fileDescriptor
        self.isOwned = isOwned
        var status = stat()
        isFile = unsafe fstat(fileDescriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    deinit {
        if isOwned { close(fileDescriptor) }
    }

    /// The bytes that wait to be written.
    public var waitingByteCount: Int { state.withLock { $0.byteCount } }

    /// Writes bytes, now or as soon as the descriptor takes them, all or none.
    ///
    /// - Returns: false if too much is waiting already; then they are not written.
    @discardableResult
    public func write(_ bytes: [UInt8]) -> Bool {
        if isFile {
            writeAll(bytes)
            return true
        }
        let (isTaken, startsThread) = state.withLock { state in
            guard state.byteCount + bytes.count <= Self.byteCountMax else { return (false, false) }
            state.queue.append(bytes)
            state.byteCount += bytes.count
            defer { state.hasThread = true }
            return (true, !state.hasThread)
        }
        // The thread lives as long as the process: descriptors that are not files are few, and the process's own.
        if startsThread { _ = DedicatedThread(name: "output") { [self] in run() } }
        if isTaken { changed.broadcast() }
        return isTaken
    }

    /// Waits until all is written, or the time is up. Once it was up, it is not waited for again.
    ///
    /// - Returns: whether all is written.
    @discardableResult
    public func settle(milliseconds: Int) -> Bool {
        guard state.withLock({ !$0.isGivenUp }) else { return false }
        let isSettled = changed.wait(milliseconds: milliseconds) { waitingByteCount == 0 }
        if !isSettled { state.withLock { $0.isGivenUp = true } }
        return isSettled
    }

    // MARK: - On the thread

    private func run() {
        // Signals are for the threads that expect them.
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
        while true {
            changed.wait { state.withLock { !$0.queue.isEmpty } }
            let taken = state.withLock { state in
                defer { state.queue = [] }
                return state.queue
            }
            for bytes in taken {
                writeAll(bytes)
                state.withLock { $0.byteCount -= bytes.count }
            }
            changed.broadcast()
        }
    }

    /// Writes bytes, in one `write(2)` if the descriptor takes them so, and waits for as long as it takes. What fails
    /// is lost: there is nobody to complain to.
    private func writeAll(_ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { memory in
                unsafe Glibc.write(
                    fileDescriptor,
                    memory.baseAddress?.advanced(by: offset),
                    memory.count - offset
                )
            }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN {
                var place = pollfd(fd: fileDescriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&place, 1, -1)
                continue
            }
            guard count > 0 else { return }
            offset += count
        }
    }
}
