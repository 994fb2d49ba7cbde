internal import CNBD
internal import Glibc

/// One connection to an export of an NBD server, over TCP, a unix socket or TLS.
///
/// Commands are issued without waiting and end while `wait` moves the connection along. All of a connection's
/// commands and waits belong to one thread at a time.
///
/// Safe, and sendable: the pointer is set once and closed in deinit only; libnbd locks the handle in every call
/// (libnbd(3), "Synchronous vs asynchronous API").
@safe public final class NBDConnection: @unchecked Sendable {
    private let raw: OpaquePointer
    /// What the server said of the export.
    public let export: NBDExport

    /// Connects. Blocks, up to the time given: never call it on the cooperative pool.
    ///
    /// - Parameters:
    ///   - uri: `nbd://HOST:PORT/EXPORT`, `nbd+unix:///EXPORT?socket=PATH`, or `nbds` for TLS in either.
    ///   - contexts: the metadata contexts to ask for.
    ///   - timeoutMilliseconds: how long the server may take.
    ///   - isStopped: asked every 50 ms; true gives up with ECANCELED.
    /// - Throws: `NBDError` with libnbd's words.
    public init(
        uri: String,
        contexts: [String] = [NBDContext.allocation],
        timeoutMilliseconds: Int,
        isStopped: () -> Bool = { false }
    ) throws(NBDError) {
        guard let handle = unsafe nbd_create() else { throw NBDError(last: "nbd_create") }
        do throws(NBDError) {
            try unsafe Self.configure(handle, contexts: contexts)
            try unsafe Self.connect(
                handle,
                uri: uri,
                timeoutMilliseconds: timeoutMilliseconds,
                isStopped: isStopped
            )
            export = try unsafe NBDExport(handle, asked: contexts)
        } catch {
            unsafe nbd_close(handle)
            throw error
        }
        unsafe raw = handle
    }

    deinit {
        // What is still in flight is given up; libnbd releases its callbacks.
        unsafe nbd_close(raw)
    }

    /// The connection is over: the server closed it, or something went wrong on it. Every command that was in
    /// flight has ended with an errno.
    public var isOver: Bool {
        unsafe nbd_aio_is_dead(raw) != 0 || nbd_aio_is_closed(raw) != 0
    }

    /// Commands that have not ended.
    public var inFlightCount: Int { Int(unsafe nbd_aio_in_flight(raw)) }

    /// Tells the server that this is the end, so that it need not take it for a fault. Nothing may be in flight.
    public func disconnect() {
        _ = unsafe nbd_aio_disconnect(raw, 0)
    }

    // MARK: - Commands

    /// Reads into the beginning of a buffer.
    ///
    /// - Throws: `NBDError` if the command cannot be issued; the listener then hears nothing.
    public func read(
        into buffer: RequestBuffer,
        offset: Int64,
        byteCount: Int,
        token: Int,
        _ listener: any NBDListener
    ) throws(NBDError) {
        let cookie = unsafe buffer.withBytes(0..<byteCount) { bytes in
            guard let base = bytes.baseAddress else { return Int64(-1) }
            let completion = unsafe Command.completion(token: token, listener: listener, buffer: buffer)
            return unsafe nbd_aio_pread(raw, base, bytes.count, UInt64(offset), completion, 0)
        }
        guard cookie >= 0 else { throw NBDError(last: "nbd_aio_pread") }
    }

    /// Writes a part of a buffer.
    ///
    /// - Throws: `NBDError` if the command cannot be issued; the listener then hears nothing.
    public func write(
        from buffer: RequestBuffer,
        _ range: Range<Int>,
        offset: Int64,
        isDurable: Bool = false,
        token: Int,
        _ listener: any NBDListener
    ) throws(NBDError) {
        let cookie = unsafe buffer.withBytes(range) { bytes in
            guard let base = bytes.baseAddress else { return Int64(-1) }
            let completion = unsafe Command.completion(token: token, listener: listener, buffer: buffer)
            let flags = isDurable ? UInt32(LIBNBD_CMD_FLAG_FUA) : 0
            return unsafe nbd_aio_pwrite(raw, base, bytes.count, UInt64(offset), completion, flags)
        }
        guard cookie >= 0 else { throw NBDError(last: "nbd_aio_pwrite") }
    }

    /// Makes a stretch read as zeroes; the server may turn it into a hole unless told not to.
    ///
    /// - Throws: `NBDError` if the command cannot be issued; the listener then hears nothing.
    public func zero(
        offset: Int64,
        byteCount: Int64,
        mayBecomeHole: Bool = true,
        isDurable: Bool = false,
        token: Int,
        _ listener: any NBDListener
    ) throws(NBDError) {
        let completion = unsafe Command.completion(token: token, listener: listener)
        var flags = mayBecomeHole ? 0 : UInt32(LIBNBD_CMD_FLAG_NO_HOLE)
        if isDurable { flags |= UInt32(LIBNBD_CMD_FLAG_FUA) }
        let cookie = unsafe nbd_aio_zero(raw, UInt64(byteCount), UInt64(offset), completion, flags)
        guard cookie >= 0 else { throw NBDError(last: "nbd_aio_zero") }
    }

    /// Has the server make all that has ended so far durable.
    ///
    /// - Throws: `NBDError` if the command cannot be issued; the listener then hears nothing.
    public func flush(token: Int, _ listener: any NBDListener) throws(NBDError) {
        let cookie = unsafe nbd_aio_flush(raw, Command.completion(token: token, listener: listener), 0)
        guard cookie >= 0 else { throw NBDError(last: "nbd_aio_flush") }
    }

    /// Asks what a stretch is in each of the contexts agreed on. The answer may cover only its beginning.
    ///
    /// - Throws: `NBDError` if the command cannot be issued; the listener then hears nothing.
    public func blockStatus(
        offset: Int64,
        byteCount: Int64,
        token: Int,
        _ listener: any NBDListener
    ) throws(NBDError) {
        let cookie = unsafe nbd_aio_block_status(
            raw,
            UInt64(byteCount),
            UInt64(offset),
            Command.extents(token: token, listener: listener),
            Command.completion(token: token, listener: listener),
            0
        )
        guard cookie >= 0 else { throw NBDError(last: "nbd_aio_block_status") }
    }

    // MARK: - Moving along

    /// Waits until something can be done on a connection, or the time is up, and does it; listeners are called
    /// meanwhile. A connection that breaks thereby is over.
    public static func wait(for connections: [NBDConnection], milliseconds: Int) {
        var polled: [pollfd] = []
        polled.reserveCapacity(connections.count)
        for connection in connections { polled.append(connection.polled) }
        guard unsafe poll(&polled, nfds_t(polled.count), Int32(milliseconds)) > 0 else { return }
        for (connection, seen) in zip(connections, polled) where seen.revents != 0 {
            connection.move(Int32(seen.revents))
        }
    }

    private var polled: pollfd {
        // A connection that is over has no descriptor; poll(2) leaves out negative ones.
        guard !isOver else { return pollfd(fd: -1, events: 0, revents: 0) }
        let direction = unsafe nbd_aio_get_direction(raw)
        var events: Int32 = 0
        if direction & UInt32(LIBNBD_AIO_DIRECTION_READ) != 0 { events |= POLLIN }
        if direction & UInt32(LIBNBD_AIO_DIRECTION_WRITE) != 0 { events |= POLLOUT }
        return pollfd(fd: unsafe nbd_aio_get_fd(raw), events: Int16(events), revents: 0)
    }

    /// As lib/poll.c of libnbd does it: reading goes first, and what it made of the direction counts.
    private func move(_ seen: Int32) {
        if seen & (POLLIN | POLLHUP | POLLERR) != 0 {
            _ = unsafe nbd_aio_notify_read(raw)
        }
        let direction = unsafe nbd_aio_get_direction(raw)
        if seen & POLLOUT != 0, direction & UInt32(LIBNBD_AIO_DIRECTION_WRITE) != 0 {
            _ = unsafe nbd_aio_notify_write(raw)
        }
    }
}
