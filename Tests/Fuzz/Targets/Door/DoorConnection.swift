import JobModel
import NIOCore
import NIOEmbedded
import ServiceKit
import Threading

@testable import Ingest

/// One connection to a door with everything real but the writer behind it, and without threads: the door's loop turns
/// when it is told to, and NIO's part of the door has an event loop of the tests.
final class DoorConnection {
    /// Small, so that inputs reach them.
    private static let limits = DoorLimits(
        bodyByteCountMax: 1024,
        headerByteCountMax: 512,
        targetByteCountMax: 128
    )

    /// What the door's loop tells, which does not know the test.
    private final class Passing {
        var connection: PassedConnection?
        var placeCount = 0
    }

    private let client: ClientSocket
    private let passing = Passing()
    private var loop: DoorLoop
    private let eventLoop = EmbeddedEventLoop()
    /// NIO's part of the door, once the connection is not plain.
    private var channel: EmbeddedChannel?
    private let network = SlowNetwork()
    private let desk = FakeDesk()
    private let reader: RequestReader
    private let limits: DoorLimits
    private let serve: DoorServer.Serve
    private var isHeld = false
    /// What has arrived at the client.
    private(set) var received: [UInt8] = []
    /// The client saw the door close the connection.
    private(set) var isClosed = false
    /// Something happened that may end the connection at any place.
    private(set) var isDisturbed = false
    /// The client went away, so that the last response may be cut.
    private(set) var isVanished = false

    /// What the HTTP decoder made of the bytes, in order, and what became of it.
    var requests: [SeenRequest] { desk.requests }
    /// How many requests were handed on.
    var servedCount: Int { desk.servedCount }

    init(isHasty: Bool) throws {
        reader = try RequestReader(desk: desk, limits: Self.limits)
        client = try ClientSocket()
        var limits = Self.limits
        if isHasty {
            limits.idleSeconds = 0
            limits.requestSeconds = 0
        }
        self.limits = limits
        let routes = Routes(health: Health(waitingFor: [])) { [desk] message, reply in
            desk.publish(message) { reply(.answered($0)) }
        }
        serve = { [desk] request, reply in
            let number = desk.serve(request)
            let noted = DoorReply { response in
                desk.isReplied(number)
                reply(response)
            }
            routes.serve(request, reply: noted)
        }
        let ways = DoorLoop.Ways(
            enter: { [passing] in
                passing.placeCount += 1
                return true
            },
            leave: { [passing] in passing.placeCount -= 1 },
            serve: serve,
            turnEnds: {},
            pass: { [passing] in passing.connection = $0 }
        )
        loop = DoorLoop(listener: nil, box: DoorBox(), limits: limits, ways: ways)
        loop.adopt(DoorSocket(descriptor: client.doorEnd))
    }

    func play(_ steps: [DoorScript.Step]) throws {
        for step in steps {
            try play(step)
            try collect()
        }
        // Whatever is still on its way arrives.
        isHeld = false
        network.isHeld = false
        network.letGo()
        try collect()
        desk.forget()
        isClosed = channel.map { !$0.isActive } ?? client.hasEnded
        try end()
    }

    private func play(_ step: DoorScript.Step) throws {
        switch step {
        case .bytes(let bytes):
            guard isOpen else { return }
            try reader.read(bytes)
            try send(bytes[...])
        case .answering(let pace):
            desk.pace = pace
        case .verdict(let number):
            desk.verdict = Verdict.allCases[number % Verdict.allCases.count]
        case .answerOldest:
            desk.answerOldest()
        case .hold:
            isHeld = true
            network.isHeld = true
        case .release:
            isHeld = false
            network.isHeld = false
            network.letGo()
        case .tick:
            isDisturbed = true
            loop.look(nowMilliseconds: MonotonicClock.nowMilliseconds)
            eventLoop.advanceTime(by: .seconds(1))
        case .quiesce:
            // The door tells each connection once.
            guard !isDisturbed else { return }
            isDisturbed = true
            loop.quiesce()
            channel?.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        case .vanish:
            isDisturbed = true
            isVanished = true
            channel?.close(promise: nil)
            client.end()
        }
    }

    private var isOpen: Bool { !isVanished && (channel?.isActive ?? !client.hasEnded) }

    private func send(_ bytes: ArraySlice<UInt8>) throws {
        var rest = bytes
        while !rest.isEmpty, isOpen {
            if let channel {
                try channel.writeInbound(ByteBuffer(bytes: rest))
                return
            }
            let count = client.send(rest)
            rest = rest.dropFirst(count)
            // A door that does not read on has no room for the rest, which this client then does not send.
            if count == 0, try !turn() { return }
        }
    }

    /// Turns the door's loop once, without sleep.
    ///
    /// - Returns: whether there was anything to do.
    private func turn() throws -> Bool {
        let hasWork = loop.takeTurn(milliseconds: 0)
        if let connection = passing.connection {
            passing.connection = nil
            try pass(connection)
        }
        return hasWork
    }

    private func pass(_ connection: PassedConnection) throws {
        let channel = EmbeddedChannel(loop: eventLoop)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(network)
        let slow = SlowLoop(eventLoop, turnEnds: {})
        let lane = SlowLane(limits: limits, loop: slow, bytes: connection.bytes, isLast: connection.isLast)
        try pipeline.addSlow(lane, limits: limits, serve: serve)
        self.channel = channel
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 8082), promise: nil)
        // What the door's loop had not read yet.
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while case .bytes(let count) = connection.socket.read(into: &buffer) {
            try channel.writeInbound(ByteBuffer(bytes: buffer[..<count]))
        }
    }

    private func collect() throws {
        var arrivedCount = 0
        repeat {
            while try turn() {}
            arrivedCount = received.count
            if !isHeld { received += client.receive() }
        } while received.count > arrivedCount
        guard let channel else { return }
        eventLoop.run()
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
            received.append(contentsOf: buffer.readableBytesView)
        }
    }

    private func end() throws {
        _ = try? channel?.finish(acceptAlreadyClosed: true)
        if channel != nil {
            DoorSocket(descriptor: client.doorEnd).end()
        }
        client.end()
        while try turn() {}
        reader.end()
        try Finding.unless(
            passing.placeCount == (channel == nil ? 0 : 1),
            "\(passing.placeCount) connections are left of one that has ended"
        )
    }
}
