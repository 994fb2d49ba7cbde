import Glibc
import Testing
import Threading

@testable import Ingest

/// The door's loop and its sockets, where no script of the fuzz target comes.
@Suite struct DoorLoopTests {
    /// A loop whose requests are answered at once, with a body of that size, or not at all.
    private final class Door {
        var servedCount = 0
        var placeCount = 0
        var placeCountMax = Int.max
        var passed: [PassedConnection] = []
        var replies: [DoorReply] = []
        var loop: DoorLoop?

        init(listener: Listener? = nil, bodyByteCount: Int = 0, keepsReplies: Bool = false) {
            let ways = DoorLoop.Ways(
                enter: { [unowned self] in
                    placeCount += 1
                    if placeCount <= placeCountMax { return true }
                    placeCount -= 1
                    return false
                },
                leave: { [unowned self] in placeCount -= 1 },
                serve: { [unowned self] _, reply in
                    servedCount += 1
                    if keepsReplies { return replies.append(reply) }
                    let body = [UInt8](repeating: 0x20, count: bodyByteCount)
                    reply { _ in DoorResponse(status: 200, body: body) }
                },
                turnEnds: {},
                pass: { [unowned self] in passed.append($0) }
            )
            loop = DoorLoop(listener: listener, box: DoorBox(), limits: DoorLimits(), ways: ways)
        }

        func turn() { while loop?.takeTurn(milliseconds: 0) == true {} }

        func rest() -> Bool { loop?.rest() == true }
    }

    private let health = Array("GET /health HTTP/1.1\r\nHost: hub\r\n\r\n".utf8)

    @Test func `the door rests while few requests wait for answers, once for each time that some came`()
        throws
    {
        let door = Door(keepsReplies: true)
        #expect(!door.rest())
        let clients = try (0..<80).map { _ in try ClientSocket() }
        for client in clients { door.loop?.adopt(DoorSocket(descriptor: client.doorEnd)) }
        func ask(_ client: ClientSocket) {
            _ = client.send(health[...])
            door.turn()
        }
        ask(clients[0])
        #expect(door.rest())
        #expect(!door.rest())
        // Answers that are there end it before it begins, and none is due afterwards.
        ask(clients[1])
        for reply in door.replies { reply { _ in DoorResponse(status: 200, body: []) } }
        #expect(!door.rest())
        door.turn()
        #expect(!door.rest())
        for client in clients[2...] { ask(client) }
        #expect(door.servedCount == 80)
        #expect(!door.rest())

        // Nobody waits: whoever comes next is served at once.
        let quick = Door()
        let client = try ClientSocket()
        quick.loop?.adopt(DoorSocket(descriptor: client.doorEnd))
        _ = client.send(health[...])
        quick.turn()
        #expect(quick.servedCount == 1 && !quick.rest())
    }

    @Test func `an answer that finds no room is sent to its end before another request is read`() throws {
        let byteCount = 4 * 1024 * 1024
        let door = Door(bodyByteCount: byteCount)
        let client = try ClientSocket()
        door.loop?.adopt(DoorSocket(descriptor: client.doorEnd))
        #expect(client.send((health + health)[...]) == 2 * health.count)
        door.turn()
        #expect(door.servedCount == 1)
        var receivedCount = 0
        while true {
            let received = client.receive()
            if received.isEmpty { break }
            receivedCount += received.count
            door.turn()
        }
        #expect(door.servedCount == 2)
        #expect(receivedCount > 2 * byteCount && receivedCount < 2 * byteCount + 1024)
    }

    @Test func `a client that ends its side gets the answers to what it sent`() throws {
        let door = Door()
        let client = try ClientSocket()
        door.loop?.adopt(DoorSocket(descriptor: client.doorEnd))
        _ = client.send((health + health)[...])
        client.sendNoMore()
        door.turn()
        let text = String(decoding: client.receive(), as: UTF8.self)
        #expect(text.split(separator: "HTTP/1.1 200").count == 2)
        #expect(client.hasEnded)
        #expect(door.placeCount == 0)
    }

    @Test func `a connection that there is no place for is closed, and its place is not counted`() throws {
        let door = Door()
        door.placeCountMax = 1
        let clients = [try ClientSocket(), try ClientSocket()]
        for client in clients { door.loop?.adopt(DoorSocket(descriptor: client.doorEnd)) }
        for client in clients { _ = client.send(health[...]) }
        door.turn()
        #expect(clients.map { !$0.receive().isEmpty } == [true, false])
        #expect(clients.map(\.hasEnded) == [false, true])
        clients[0].end()
        door.turn()
        #expect(door.placeCount == 0)
    }

    @Test func `an answer does not go to a connection that came to the place of its own`() throws {
        let box = DoorBox()
        let ways = DoorLoop.Ways(enter: { true }, leave: {}, serve: { _, _ in }, turnEnds: {}, pass: { _ in })
        var loop = DoorLoop(listener: nil, box: box, limits: DoorLimits(), ways: ways)
        let clients = [try ClientSocket(), try ClientSocket()]
        for client in clients {
            loop.adopt(DoorSocket(descriptor: client.doorEnd))
            _ = client.send(health[...])
            while loop.takeTurn(milliseconds: 0) {}
            if client === clients[0] { client.end() }
            while loop.takeTurn(milliseconds: 0) {}
        }
        let response = DoorResponse(status: 200, body: [])
        box.deliver(DoorBox.Delivery(lane: DoorBox.LaneID(place: 0, turn: 1)) { _ in response })
        while loop.takeTurn(milliseconds: 0) {}
        #expect(clients[1].receive().isEmpty)
        box.deliver(DoorBox.Delivery(lane: DoorBox.LaneID(place: 0, turn: 2)) { _ in response })
        while loop.takeTurn(milliseconds: 0) {}
        #expect(!clients[1].receive().isEmpty)
    }

    @Test func `a loop that sleeps is woken by an answer, and ends with its last connection`() throws {
        let box = DoorBox()
        let listener = try Listener(host: "127.0.0.1", port: 0)
        let limits = DoorLimits()
        let thread = DedicatedThread(name: "door") {
            let ways = DoorLoop.Ways(
                enter: { true },
                leave: {},
                serve: { _, reply in
                    // From elsewhere, once the door sleeps.
                    _ = DedicatedThread(name: "writer") {
                        Pause.milliseconds(50)
                        reply { _ in DoorResponse(status: 200, body: []) }
                        box.stop()
                    }
                },
                turnEnds: {},
                pass: { _ in }
            )
            var loop = DoorLoop(listener: listener, box: box, limits: limits, ways: ways)
            loop.run()
        }
        let client = try ClientSocket(port: listener.port)
        let start = MonotonicClock.nowMilliseconds
        _ = client.send(health[...])
        thread.join()
        // A loop that nobody wakes looks around once a second.
        #expect(MonotonicClock.nowMilliseconds - start < 900)
        #expect(String(decoding: client.receive(), as: UTF8.self).hasPrefix("HTTP/1.1 200"))
        #expect(client.hasEnded)
    }
}
