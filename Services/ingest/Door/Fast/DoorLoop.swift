import Threading

/// The door's thread: accepts connections, reads plain requests, hands them on and writes the answers.
///
/// All goes in bursts. The requests that one turn reads are handed on one by one, and whoever waits for them is told once;
/// answers are handed out together. A request costs two system calls, one to read it and one to write its answer:
/// sockets are registered once, for their changes, and read only while a request is wanted.
struct DoorLoop: ~Copyable {
    /// What the loop works for.
    struct Ways {
        /// Asks for a place for one more connection.
        var enter: () -> Bool
        /// A connection's place is free again.
        var leave: () -> Void
        /// Serves one request; what it hands on may wait for `turnEnds`.
        var serve: (DoorRequest, DoorReply) -> Void
        /// The requests that had come together have been served.
        var turnEnds: () -> Void
        /// Takes over a connection whose requests are not plain.
        var pass: (PassedConnection) -> Void
    }

    private static let listenerID = UInt64.max
    private static let boxID = UInt64.max - 1
    private static let bufferByteCount = 64 * 1024
    /// The most connections that one turn accepts.
    private static let arrivalCountMax = 64
    private static let lookMilliseconds: Int64 = 1000
    /// Milliseconds for which requests gather where few come. Below the long rest of a writer's link, which lets those
    /// gather that come behind the first one anyway.
    private static let restMilliseconds: Int32 = 20

    private let epoll = Epoll()
    private let box: DoorBox
    private let limits: DoorLimits
    private let ways: Ways
    private var listener: Listener?
    /// The listener is not watched, since there was no room for a connection.
    private var isListenerResting = false
    private var connections: [DoorConnection?] = []
    private var freePlaces: [Int] = []
    private var connectionCount = 0
    private var turn: UInt32 = 0
    private var now = MonotonicClock.nowMilliseconds
    private var lastLook = MonotonicClock.nowMilliseconds
    /// When connections that are left are closed. nil: the door is open.
    private var end: Int64?
    /// Something was handed on for which `turnEnds` is due.
    private var hasServed = false
    private var lull = Lull()
    /// Requests without an answer.
    private var dueCount = 0
    /// Requests were served since the last rest.
    private var isRestDue = false
    private var buffer = [UInt8](repeating: 0, count: bufferByteCount)
    /// Answers that are handed out, and their memory.
    private var deliveries: [DoorBox.Delivery] = []
    /// The answer that is sent, and its body, for their memory.
    private var answer: [UInt8] = []
    private var body: [UInt8] = []

    init(listener: Listener?, box: DoorBox, limits: DoorLimits, ways: Ways) {
        self.listener = listener
        self.box = box
        self.limits = limits
        self.ways = ways
        let isBoxWatched = epoll.watch(box.fileDescriptor, id: Self.boxID)
        let isListenerWatched = listener.map { epoll.watch($0.descriptor, id: Self.listenerID) } ?? true
        precondition(isBoxWatched && isListenerWatched, "a new epoll takes no descriptors")
    }

    /// Works until the door is told to end and its connections are gone.
    mutating func run() {
        while end == nil || connectionCount > 0 {
            takeTurn(milliseconds: pause)
            rest()
        }
    }

    /// Where few requests come, lets them gather for a moment as long as answers are due, which end it: each turn costs as
    /// much as several requests.
    ///
    /// - Returns: whether it did.
    @discardableResult
    mutating func rest() -> Bool {
        guard isRestDue else { return false }
        isRestDue = false
        guard dueCount > 0, lull.isQuiet(nowMilliseconds: now), box.fallAsleep() else { return false }
        box.wait(milliseconds: Self.restMilliseconds)
        return true
    }

    /// How long nothing is to be done by itself.
    private var pause: Int32 {
        guard connectionCount > 0 || isListenerResting || end != nil else { return -1 }
        return Int32(max(0, lastLook + Self.lookMilliseconds - MonotonicClock.nowMilliseconds))
    }

    /// Waits for something to do, for so long at the most (-1: as long as it takes), and does it.
    ///
    /// - Returns: whether there was anything.
    @discardableResult
    mutating func takeTurn(milliseconds: Int32) -> Bool {
        let eventCount = epoll.wait(milliseconds: box.fallAsleep() ? milliseconds : 0)
        now = MonotonicClock.nowMilliseconds
        if box.wakeUp(&deliveries), end == nil { quiesce() }
        let hasWork = eventCount > 0 || !deliveries.isEmpty
        for index in 0..<eventCount { take(epoll[index]) }
        endTurn()
        for delivery in deliveries { hand(delivery) }
        deliveries.removeAll(keepingCapacity: true)
        endTurn()
        if now - lastLook >= Self.lookMilliseconds { look(nowMilliseconds: now) }
        return hasWork
    }

    private mutating func endTurn() {
        guard hasServed else { return }
        hasServed = false
        ways.turnEnds()
    }

    private mutating func take(_ event: Epoll.Event) {
        switch event.id {
        case Self.listenerID: accept()
        case Self.boxID: box.clear()
        default:
            guard let connection = connection(DoorBox.LaneID(event.id)) else { return }
            take(event, connection)
        }
    }

    // MARK: Connections that come and go

    private mutating func accept() {
        for _ in 0..<Self.arrivalCountMax {
            guard let listener else { return }
            switch listener.take() {
            case .connection(let socket):
                adopt(socket)
            case .none:
                return
            case .noRoom:
                // It stays readable; without a rest the loop would turn for nothing.
                epoll.forget(listener.descriptor)
                isListenerResting = true
                return
            }
        }
    }

    /// Takes a connection in, if there is a place for it.
    mutating func adopt(_ socket: DoorSocket) {
        guard ways.enter() else { return socket.end() }
        let place = freePlaces.popLast() ?? connections.count
        if place == connections.count { connections.append(nil) }
        turn &+= 1
        let connection = DoorConnection(
            socket: socket,
            id: DoorBox.LaneID(place: UInt32(place), turn: turn),
            lane: FastLane(limits: limits, nowMilliseconds: now)
        )
        connections[place] = connection
        connectionCount += 1
        if !epoll.watchChanges(socket.descriptor, id: connection.id.number) { close(connection) }
    }

    private func connection(_ id: DoorBox.LaneID) -> DoorConnection? {
        let place = Int(id.place)
        guard place < connections.count, let connection = connections[place], connection.id == id else {
            return nil
        }
        return connection
    }

    private mutating func close(_ connection: DoorConnection) {
        guard remove(connection) else { return }
        connection.socket.end()
        ways.leave()
    }

    private mutating func remove(_ connection: DoorConnection) -> Bool {
        guard connection.isOpen else { return false }
        connection.isOpen = false
        connections[Int(connection.id.place)] = nil
        freePlaces.append(Int(connection.id.place))
        connectionCount -= 1
        return true
    }

    /// Closes the connections of clients that have had their time.
    mutating func look(nowMilliseconds: Int64) {
        lastLook = nowMilliseconds
        let isAtEnd = end.map { nowMilliseconds >= $0 } ?? false
        for case let connection? in connections
        where isAtEnd || connection.lane.isOver(nowMilliseconds: nowMilliseconds) {
            close(connection)
        }
        if isListenerResting, let listener, epoll.watch(listener.descriptor, id: Self.listenerID) {
            isListenerResting = false
        }
    }

    /// The door shuts down: idle connections end now, the others with the answer that is due.
    mutating func quiesce() {
        end = now + DoorServer.quiesceMilliseconds
        isListenerResting = false
        if let listener { epoll.forget(listener.descriptor) }
        listener = nil
        for case let connection? in connections {
            if connection.lane.isIdle, connection.unsent.isEmpty {
                close(connection)
            } else {
                connection.lane.quiesce()
            }
        }
    }

    // MARK: Requests and answers

    private mutating func take(_ event: Epoll.Event, _ connection: DoorConnection) {
        guard !event.isBroken else { return close(connection) }
        if event.isReadable { connection.hasMore = true }
        if event.hasEnded { connection.hasEnded = true }
        if event.isWritable, !connection.unsent.isEmpty { return sendRest(connection) }
        if event.isReadable || event.hasEnded { read(connection) }
    }

    /// Reads on as long as requests are wanted and there is something.
    private mutating func read(_ connection: DoorConnection) {
        while connection.isReading {
            switch connection.socket.read(into: &buffer) {
            case .end:
                close(connection)
            case .nothing:
                connection.hasMore = false
            case .bytes(let count):
                // Less than there was room for is all that there was; what comes later is told.
                connection.hasMore = count == buffer.count
                go(connection.lane.take(buffer, count: count, nowMilliseconds: now), connection)
            }
        }
    }

    private mutating func go(_ step: FastLane.Step, _ connection: DoorConnection) {
        switch step {
        case .wait:
            break
        case .serve(let request):
            hasServed = true
            isRestDue = true
            dueCount += 1
            lull.requestCame(nowMilliseconds: now)
            ways.serve(request, DoorReply(box, connection.id))
        case .pass(let bytes):
            guard remove(connection) else { return }
            epoll.forget(connection.socket.descriptor)
            let isLast = connection.lane.isLast
            ways.pass(PassedConnection(socket: connection.socket, bytes: bytes, isLast: isLast))
        }
    }

    private mutating func hand(_ delivery: DoorBox.Delivery) {
        dueCount -= 1
        guard let connection = connection(delivery.lane), connection.lane.isAnswering else { return }
        let keepsAlive = connection.lane.answered(nowMilliseconds: now)
        var memory: [UInt8] = []
        swap(&memory, &body)
        let response = delivery.response(consume memory)
        response.write(over: &answer, keepsAlive: keepsAlive)
        body = response.body
        guard let count = connection.socket.send(answer) else { return close(connection) }
        if count < answer.count {
            connection.unsent = Array(answer[count...])
        } else {
            goOn(connection)
        }
    }

    /// There is room for more of an answer.
    private mutating func sendRest(_ connection: DoorConnection) {
        guard let count = connection.socket.send(connection.unsent) else { return close(connection) }
        connection.unsent = Array(connection.unsent.dropFirst(count))
        if connection.unsent.isEmpty { goOn(connection) }
    }

    /// An answer is sent: the next request may have come.
    private mutating func goOn(_ connection: DoorConnection) {
        guard connection.lane.isListening else { return close(connection) }
        go(connection.lane.next(nowMilliseconds: now), connection)
        read(connection)
    }
}

/// A connection that the door's thread gives away.
struct PassedConnection: Sendable {
    var socket: DoorSocket
    /// What was read of it and is not served.
    var bytes: [UInt8]
    /// The door shuts down.
    var isLast: Bool
}

/// One connection of the door's thread.
private final class DoorConnection {
    let socket: DoorSocket
    let id: DoorBox.LaneID
    let lane: FastLane
    /// The rest of an answer that there was no room for.
    var unsent: [UInt8] = []
    /// There may be something to read.
    var hasMore = false
    /// The client sends no more than what is there.
    var hasEnded = false
    var isOpen = true

    init(socket: DoorSocket, id: DoorBox.LaneID, lane: FastLane) {
        self.socket = socket
        self.id = id
        self.lane = lane
    }

    var isReading: Bool { isOpen && (hasMore || hasEnded) && lane.isListening && unsent.isEmpty }
}

extension DoorBox.LaneID {
    /// As the number of an event.
    fileprivate var number: UInt64 { UInt64(turn) << 32 | UInt64(place) }

    fileprivate init(_ number: UInt64) {
        self.init(place: UInt32(truncatingIfNeeded: number), turn: UInt32(number >> 32))
    }
}
