private import CZeroMQ
public import Threading

/// How a socket behaves.
public struct SocketOptions: Sendable {
    /// The most messages that ZeroMQ holds for one peer, in each direction.
    public var queueCountMax: Int32 = 1000
    /// The largest message that is taken, in bytes; a peer that sends a larger one is disconnected.
    public var messageByteCountMax: Int64 = 16 * 1024 * 1024
    /// Milliseconds between heartbeats.
    public var heartbeatMilliseconds: Int32 = 1000
    /// Milliseconds without a heartbeat after which a peer counts as gone.
    public var heartbeatTimeoutMilliseconds: Int32 = 3000

    /// The defaults.
    public init() {}
}

/// Owns one ZeroMQ socket and does nothing but own it.
///
/// zmq_socket(3): a socket belongs to one thread at a time, so it is neither copyable nor sendable.
@safe struct SocketHandle: ~Copyable {
    let raw: UnsafeMutableRawPointer
    // Keeps the context alive until the socket is closed.
    let context: BusContext

    deinit { unsafe zmq_close(raw) }

    init(_ context: BusContext, type: Int32, _ options: SocketOptions) throws(BusError) {
        guard let raw = unsafe zmq_socket(context.raw, type) else { throw BusError("zmq_socket") }
        unsafe self.raw = unsafe raw
        self.context = context
        // A closed socket drops what it could not send: the sender's own ledger is the only queue.
        set(ZMQ_LINGER, 0)
        set(ZMQ_SNDHWM, options.queueCountMax)
        set(ZMQ_RCVHWM, options.queueCountMax)
        set(ZMQ_HEARTBEAT_IVL, options.heartbeatMilliseconds)
        set(ZMQ_HEARTBEAT_TIMEOUT, options.heartbeatTimeoutMilliseconds)
        set(ZMQ_HEARTBEAT_TTL, options.heartbeatTimeoutMilliseconds)
        set(ZMQ_IPV6, 1)
        set(ZMQ_RECONNECT_IVL, 50)
        set(ZMQ_RECONNECT_IVL_MAX, 1000)
        var limit = options.messageByteCountMax
        unsafe zmq_setsockopt(raw, ZMQ_MAXMSGSIZE, &limit, MemoryLayout<Int64>.size)
    }

    borrowing func set(_ option: Int32, _ value: Int32) {
        var value = value
        let code = unsafe zmq_setsockopt(raw, option, &value, MemoryLayout<Int32>.size)
        precondition(code == 0, "zmq_setsockopt(\(option)) failed with errno \(zmq_errno())")
    }

    /// Sends one frame. false: it would block now.
    borrowing func send(_ bytes: [UInt8], more: Bool) throws(BusError) -> Bool {
        let flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)
        let code = unsafe bytes.withUnsafeBytes { unsafe zmq_send(raw, $0.baseAddress, $0.count, flags) }
        if code >= 0 { return true }
        let error = BusError("zmq_send")
        guard error.code == .again || error.code == .interrupted else { throw error }
        return false
    }

    /// Receives one frame. nil: there is none now.
    borrowing func receive() throws(BusError) -> (bytes: [UInt8], more: Bool)? {
        var message = zmq_msg_t()
        unsafe zmq_msg_init(&message)
        defer { unsafe zmq_msg_close(&message) }
        guard unsafe zmq_msg_recv(&message, raw, ZMQ_DONTWAIT) >= 0 else {
            let error = BusError("zmq_msg_recv")
            guard error.code == .again || error.code == .interrupted else { throw error }
            return nil
        }
        let count = unsafe zmq_msg_size(&message)
        let bytes = unsafe [UInt8](
            UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: count)
        )
        return (bytes, unsafe zmq_msg_more(&message) != 0)
    }
}

/// The asking side: spreads its messages over the writers that it is connected to.
public struct DealerSocket: ~Copyable {
    let handle: SocketHandle

    /// Connects to every endpoint; those that are not there yet are tried again and again.
    ///
    /// - Parameters:
    ///   - context: the process's context.
    ///   - endpoints: `tcp://host:port` or `ipc://path`, at least one.
    ///   - options: how it behaves.
    /// - Throws: `BusError` naming the endpoint that makes no sense.
    public init(
        _ context: BusContext,
        connect endpoints: [String],
        options: SocketOptions = SocketOptions()
    ) throws(BusError) {
        let handle = try SocketHandle(context, type: ZMQ_DEALER, options)
        // Messages go to writers that are there; without one, sending says so at once.
        handle.set(ZMQ_IMMEDIATE, 1)
        for endpoint in endpoints {
            guard unsafe zmq_connect(handle.raw, endpoint) == 0 else {
                throw BusError("zmq_connect", endpoint: endpoint)
            }
        }
        self.handle = handle
    }

    /// Sends one message to the next writer in turn.
    ///
    /// - Returns: false if no writer can take one now; nothing was sent then.
    public borrowing func send(_ bytes: [UInt8]) throws(BusError) -> Bool {
        try handle.send(bytes, more: false)
    }

    /// Receives one message. nil: there is none now.
    public borrowing func receive() throws(BusError) -> [UInt8]? {
        guard var frame = try handle.receive() else { return nil }
        while frame.more {
            guard let next = try handle.receive() else { break }
            frame = next
        }
        return frame.bytes
    }

    /// Sleeps until a message comes, the wake-up is signalled or the time is up.
    public borrowing func wait(or wakeup: Wakeup, milliseconds: Int) {
        poll(handle, wakeup, milliseconds)
    }

    /// Sleeps until a message comes or the time is up.
    public borrowing func wait(milliseconds: Int) {
        poll(handle, nil, milliseconds)
    }
}

/// The answering side: each message comes with the address of its sender, for the answer.
public struct RouterSocket: ~Copyable {
    let handle: SocketHandle
    /// The endpoint as bound: with the port that was chosen, where `*` was asked for.
    public let endpoint: String

    /// Binds to an endpoint.
    ///
    /// - Throws: `BusError`; `.addressInUse` if another process has it.
    public init(
        _ context: BusContext,
        bind endpoint: String,
        options: SocketOptions = SocketOptions()
    ) throws(BusError) {
        let handle = try SocketHandle(context, type: ZMQ_ROUTER, options)
        // An answer for a sender that is gone is an error to count, not a message to lose in silence.
        handle.set(ZMQ_ROUTER_MANDATORY, 1)
        guard unsafe zmq_bind(handle.raw, endpoint) == 0 else {
            throw BusError("zmq_bind", endpoint: endpoint)
        }
        var text = [UInt8](repeating: 0, count: 256)
        var count = text.count
        unsafe text.withUnsafeMutableBytes { buffer in
            _ = unsafe zmq_getsockopt(handle.raw, ZMQ_LAST_ENDPOINT, buffer.baseAddress, &count)
        }
        self.endpoint = String(decoding: text.prefix(max(count - 1, 0)), as: UTF8.self)
        self.handle = handle
    }

    /// Receives one message and the address of its sender. nil: there is none now.
    public borrowing func receive() throws(BusError) -> (sender: [UInt8], bytes: [UInt8])? {
        guard let address = try handle.receive() else { return nil }
        guard address.more else { return (address.bytes, []) }
        guard var frame = try handle.receive() else { return nil }
        while frame.more {
            guard let next = try handle.receive() else { break }
            frame = next
        }
        return (address.bytes, frame.bytes)
    }

    /// Sends one message to a sender.
    ///
    /// - Returns: false if its queue is full now; nothing was sent then.
    /// - Throws: `BusError` with `.unreachable` if it is gone.
    public borrowing func send(_ bytes: [UInt8], to address: [UInt8]) throws(BusError) -> Bool {
        guard try handle.send(address, more: true) else { return false }
        return try handle.send(bytes, more: false)
    }

    /// Sleeps until a message comes, the wake-up is signalled or the time is up.
    public borrowing func wait(or wakeup: Wakeup, milliseconds: Int) {
        poll(handle, wakeup, milliseconds)
    }
}

private func poll(_ handle: borrowing SocketHandle, _ wakeup: Wakeup?, _ milliseconds: Int) {
    var items = unsafe [
        zmq_pollitem_t(socket: handle.raw, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
        zmq_pollitem_t(
            socket: nil,
            fd: wakeup?.fileDescriptor ?? -1,
            events: Int16(ZMQ_POLLIN),
            revents: 0
        ),
    ]
    // An error here can only be a signal in between; the caller looks for work either way.
    _ = unsafe zmq_poll(&items, wakeup == nil ? 1 : 2, milliseconds)
}
