import NIOCore
import Synchronization

/// What the connections of one event loop share: the way on for their requests, and the way back for the answers.
///
/// Both go in bursts. The requests that one turn of the loop reads are handed on one by one, and at the turn's end
/// whoever waits for them is told once. Answers that come from other threads gather until the loop takes them, all at
/// once, so that it is woken once for many.
final class DoorLoop: Sendable {
    private struct Delivery: Sendable {
        var lane: NIOLoopBound<FastLane>
        var response: DoorResponse
    }

    private let eventLoop: any EventLoop
    private let turnEnds: @Sendable () -> Void
    private let isTurnWatched: NIOLoopBoundBox<Bool>
    private let deliveries = Mutex<[Delivery]>([])
    /// Responses are written here; it is free again once one is on its way, which nearly always is at once.
    private let scratch: NIOLoopBoundBox<ByteBuffer>

    /// - Parameters:
    ///   - eventLoop: the loop of the connections.
    ///   - turnEnds: called on the loop, after a turn in which requests were handed on.
    init(_ eventLoop: any EventLoop, turnEnds: @escaping @Sendable () -> Void) {
        self.eventLoop = eventLoop
        self.turnEnds = turnEnds
        isTurnWatched = .makeBoxSendingValue(false, eventLoop: eventLoop)
        scratch = .makeBoxSendingValue(ByteBuffer(), eventLoop: eventLoop)
    }

    /// A request is about to be handed on, on the loop.
    func requestComes() {
        guard !isTurnWatched.value else { return }
        isTurnWatched.value = true
        // What is asked for within a turn comes behind all that the turn has read.
        eventLoop.execute { [self] in
            isTurnWatched.value = false
            turnEnds()
        }
    }

    /// An answer for a connection, from any thread.
    func deliver(_ response: DoorResponse, to lane: NIOLoopBound<FastLane>) {
        let isFirst = deliveries.withLock { deliveries in
            deliveries.append(Delivery(lane: lane, response: response))
            return deliveries.count == 1
        }
        if isFirst { eventLoop.execute { [self] in handOut() } }
    }

    /// A response as it goes over a connection, on the loop.
    func bytes(of response: DoorResponse, keepsAlive: Bool) -> ByteBuffer {
        scratch.withValue { buffer in
            buffer.clear(minimumCapacity: 512)
            response.write(into: &buffer, keepsAlive: keepsAlive)
            return buffer
        }
    }

    private func handOut() {
        var taken: [Delivery] = []
        deliveries.withLock { swap(&taken, &$0) }
        for delivery in taken { delivery.lane.value.answer(delivery.response) }
    }
}
