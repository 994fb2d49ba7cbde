internal import Glibc
internal import Synchronization

/// Wakes a thread that sleeps in poll: a pipe beside its sockets.
public final class Wakeup: Sendable {
    /// The descriptor to poll for reading.
    public let fileDescriptor: Int32
    private let writeDescriptor: Int32
    private let isSignalled = Atomic<Bool>(false)

    /// Creates one.
    ///
    /// - Precondition: the process may open two more descriptors; it traps where it may not.
    public init() {
        var ends: [Int32] = [-1, -1]
        precondition(unsafe pipe(&ends) == 0, "pipe failed with errno \(errno)")
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        fileDescriptor = ends[0]
        writeDescriptor = ends[1]
    }

    deinit {
        close(fileDescriptor)
        close(writeDescriptor)
    }

    /// Makes the descriptor readable. Cheap when it is already: one system call per sleep, not per signal.
    public func signal() {
        guard !isSignalled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 1
        _ = unsafe write(writeDescriptor, &byte, 1)
    }

    /// Sleeps until there is a signal, which stays, or the time is up.
    public func wait(milliseconds: Int32) {
        var descriptor = pollfd(fd: fileDescriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&descriptor, 1, milliseconds)
    }

    /// Takes the signal back. Call it before looking for work, so that no signal is lost.
    public func clear() {
        guard isSignalled.load(ordering: .acquiring) else { return }
        var byte: UInt8 = 0
        // Whoever signalled may not have come to write yet: what it writes then must find the flag up, or the byte
        // would stay, and every poll from there on return at once.
        guard unsafe read(fileDescriptor, &byte, 1) == 1 else { return }
        isSignalled.store(false, ordering: .releasing)
    }
}
