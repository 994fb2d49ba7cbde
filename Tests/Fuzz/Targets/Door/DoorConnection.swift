import JobModel
import NIOCore
import NIOEmbedded
import ServiceKit

@testable import Ingest

/// One connection to a door with everything real but the socket and the writer behind it.
final class DoorConnection {
    /// Small, so that inputs reach them.
    private static let limits = DoorLimits(
        bodyByteCountMax: 1024,
        headerByteCountMax: 512,
        targetByteCountMax: 128
    )

    private let eventLoop = EmbeddedEventLoop()
    private let channel: EmbeddedChannel
    private let network = SlowNetwork()
    private let desk = FakeDesk()
    private let reader: RequestReader
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
        channel = EmbeddedChannel(loop: eventLoop)
        reader = try RequestReader(desk: desk, limits: Self.limits)
        var limits = Self.limits
        if isHasty {
            limits.idleSeconds = 0
            limits.requestSeconds = 0
        }
        let routes = Routes(health: Health(waitingFor: [])) { [desk] message, reply in
            desk.publish(message) { reply(.answered($0)) }
        }
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(network)
        let loop = DoorLoop(eventLoop, turnEnds: {})
        try pipeline.addDoor(limits: limits, loop: loop) { [desk] request, reply in
            let number = desk.serve(request)
            routes.serve(request) { response in
                desk.isReplied(number)
                reply(response)
            }
        }
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 8082), promise: nil)
    }

    func play(_ steps: [DoorScript.Step]) throws {
        for step in steps {
            try play(step)
            try collect()
        }
        // Whatever is still on its way arrives.
        network.isHeld = false
        network.letGo()
        try collect()
        desk.forget()
        isClosed = !channel.isActive
        _ = try? channel.finish(acceptAlreadyClosed: true)
        reader.end()
    }

    private func play(_ step: DoorScript.Step) throws {
        switch step {
        case .bytes(let bytes):
            guard channel.isActive else { return }
            try reader.read(bytes)
            try channel.writeInbound(ByteBuffer(bytes: bytes))
        case .answering(let pace):
            desk.pace = pace
        case .verdict(let number):
            desk.verdict = Verdict.allCases[number % Verdict.allCases.count]
        case .answerOldest:
            desk.answerOldest()
        case .hold:
            network.isHeld = true
        case .release:
            network.isHeld = false
            network.letGo()
        case .tick:
            isDisturbed = true
            eventLoop.advanceTime(by: .seconds(1))
        case .quiesce:
            // The door tells each connection once.
            guard !isDisturbed else { return }
            isDisturbed = true
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        case .vanish:
            isDisturbed = true
            isVanished = true
            channel.close(promise: nil)
        }
    }

    private func collect() throws {
        eventLoop.run()
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
            received.append(contentsOf: buffer.readableBytesView)
        }
    }
}
