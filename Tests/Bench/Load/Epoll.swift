private import CEpoll
import Glibc
import StackSupport

/// Waits for sockets to become readable. On one thread only.
///
/// `@safe`: the buffer is allocated in init, freed in deinit, and read only up to what the last wait filled.
@safe final class Epoll {
    private static let eventCountMax = 512

    private let descriptor: Int32
    private let events: UnsafeMutablePointer<epoll_event>

    init() throws {
        descriptor = epoll_create1(0)
        guard descriptor >= 0 else { throw EndToEndError("epoll_create1: errno \(errno)") }
        unsafe events = .allocate(capacity: Self.eventCountMax)
    }

    deinit {
        close(descriptor)
        unsafe events.deallocate()
    }

    /// Watches a socket until it is closed; it is known by its place.
    func add(_ socket: Int32, place: Int) throws {
        var event = unsafe epoll_event()
        unsafe event.events = UInt32(EPOLLIN.rawValue)
        unsafe event.data.u64 = UInt64(place)
        guard unsafe epoll_ctl(descriptor, EPOLL_CTL_ADD, socket, &event) == 0 else {
            throw EndToEndError("epoll_ctl: errno \(errno)")
        }
    }

    /// Sleeps for so many nanoseconds at the most, and calls `body` with the place of each socket that has something.
    func wait(nanoseconds: Int64, _ body: (Int) throws -> Void) throws {
        let rest = max(0, nanoseconds)
        var time = timespec(tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
        let count = unsafe epoll_pwait2(descriptor, events, Int32(Self.eventCountMax), &time, nil)
        guard count >= 0 else {
            guard errno == EINTR else { throw EndToEndError("epoll_pwait2: errno \(errno)") }
            return
        }
        for index in 0..<Int(count) { try body(Int(unsafe events[index].data.u64)) }
    }
}
