private import CEpoll
import Glibc

/// Tells which descriptors have something to read, or room to write again. On one thread only.
///
/// `@safe`: the buffer is allocated in init, freed in deinit, and read only up to what the last wait filled.
@safe final class Epoll {
    /// What is known of one descriptor.
    struct Event {
        /// The number that it was added with.
        var id: UInt64
        /// Something has come.
        var isReadable: Bool
        /// There is room again.
        var isWritable: Bool
        /// The other side sends no more.
        var hasEnded: Bool
        /// The connection is broken.
        var isBroken: Bool
    }

    private static let eventCountMax = 512

    private let descriptor: Int32
    private let events: UnsafeMutablePointer<epoll_event>

    /// - Precondition: the process may open one more descriptor; it traps where it may not.
    init() {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(descriptor >= 0, "epoll_create1 failed with errno \(errno)")
        unsafe events = .allocate(capacity: Self.eventCountMax)
    }

    deinit {
        close(descriptor)
        unsafe events.deallocate()
    }

    /// Tells whenever there is something to read, as long as there is.
    func watch(_ descriptor: Int32, id: UInt64) -> Bool { add(descriptor, id, EPOLLIN.rawValue) }

    /// Tells each change once: what is told has to be read to its end.
    func watchChanges(_ descriptor: Int32, id: UInt64) -> Bool {
        add(
            descriptor,
            id,
            EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        )
    }

    /// Tells nothing more of a descriptor that stays open.
    func forget(_ descriptor: Int32) {
        epoll_ctl(self.descriptor, EPOLL_CTL_DEL, descriptor, nil)
    }

    /// Sleeps until there is something or the time is up.
    ///
    /// - Parameter milliseconds: the longest sleep; -1: as long as it takes.
    /// - Returns: how many events there are.
    func wait(milliseconds: Int32) -> Int {
        let count = unsafe epoll_wait(descriptor, events, Int32(Self.eventCountMax), milliseconds)
        precondition(count >= 0 || errno == EINTR, "epoll_wait failed with errno \(errno)")
        return max(0, Int(count))
    }

    /// One of the events of the last wait.
    subscript(index: Int) -> Event {
        let event = unsafe events[index]
        let flags = unsafe event.events
        return Event(
            id: unsafe event.data.u64,
            isReadable: flags & EPOLLIN.rawValue != 0,
            isWritable: flags & EPOLLOUT.rawValue != 0,
            hasEnded: flags & EPOLLRDHUP.rawValue != 0,
            isBroken: flags & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
        )
    }

    private func add(_ descriptor: Int32, _ id: UInt64, _ flags: UInt32) -> Bool {
        var event = unsafe epoll_event()
        unsafe event.events = flags
        unsafe event.data.u64 = id
        return unsafe epoll_ctl(self.descriptor, EPOLL_CTL_ADD, descriptor, &event) == 0
    }
}
