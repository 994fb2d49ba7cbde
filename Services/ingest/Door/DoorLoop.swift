import NIOCore
import Synchronization
import Threading

/// What the connections of one event loop share: the way on for their requests, and the way back for the answers.
///
/// Both go in bursts. The requests that one turn of the loop reads are handed on one by one, and at the turn's end
/// whoever waits for them is told once. Answers that come from other threads gather until the loop takes them, all at
/// once, so that it is woken once for many. One timer for all connections looks for those that are slow or idle.
final class DoorLoop: Sendable {
    private struct Delivery: Sendable {
        var lane: NIOLoopBound<FastLane>
        var response: @Sendable () -> DoorResponse
    }

    private let eventLoop: any EventLoop
    private let turnEnds: @Sendable () -> Void
    private let isTurnWatched: NIOLoopBoundBox<Bool>
    private let deliveries = Mutex<[Delivery]>([])
    /// Responses are written here; it is free again once one is on its way, which nearly always is at once.
    private let scratch: NIOLoopBoundBox<ByteBuffer>
    /// What was handed out before, for its memory.
    private let spare: NIOLoopBoundBox<[Delivery]>
    private let watched: NIOLoopBoundBox<[ObjectIdentifier: FastLane]?>
    /// The timer runs: connections that come and go one by one must not set off one each.
    private let isLookDue: NIOLoopBoundBox<Bool>

    /// - Parameters:
    ///   - eventLoop: the loop of the connections.
    ///   - turnEnds: called on the loop, after a turn in which requests were handed on.
    init(_ eventLoop: any EventLoop, turnEnds: @escaping @Sendable () -> Void) {
        self.eventLoop = eventLoop
        self.turnEnds = turnEnds
        isTurnWatched = .makeBoxSendingValue(false, eventLoop: eventLoop)
        spare = .makeBoxSendingValue([], eventLoop: eventLoop)
        watched = .makeEmptyBox(eventLoop: eventLoop)
        isLookDue = .makeBoxSendingValue(false, eventLoop: eventLoop)
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
    ///
    /// - Parameters:
    ///   - response: makes the answer, on the loop, whose memory it then is from beginning to end.
    ///   - lane: the connection.
    func deliver(_ response: @escaping @Sendable () -> DoorResponse, to lane: NIOLoopBound<FastLane>) {
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
        swap(&taken, &spare.value)
        deliveries.withLock { swap(&taken, &$0) }
        for delivery in taken { delivery.lane.value.answer(delivery.response()) }
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &spare.value)
    }

    /// A connection opens, on the loop.
    func watch(_ lane: FastLane) {
        if !isLookDue.value { lookLater() }
        watched.value = watched.value ?? [:]
        watched.value?[ObjectIdentifier(lane)] = lane
    }

    /// A connection has ended, on the loop.
    func forget(_ lane: FastLane) { watched.value?[ObjectIdentifier(lane)] = nil }

    /// Looks at all connections once a second, as long as there are any.
    private func lookLater() {
        isLookDue.value = true
        eventLoop.scheduleTask(in: .seconds(1)) { [self] in
            isLookDue.value = false
            let now = MonotonicClock.nowMilliseconds
            // Closing one changes what is watched.
            for lane in (watched.value ?? [:]).values { lane.look(nowMilliseconds: now) }
            if watched.value?.isEmpty == false { lookLater() }
        }
    }
}
