import Synchronization
import Threading

/// What other threads have for the door's: answers, and the word that it is to end.
///
/// Answers gather until the door takes them, all at once, so that it is woken once for many, and only where it sleeps.
final class DoorBox: Sendable {
    /// A connection, by its place among the door's; another one may have the place later, with another turn.
    struct LaneID: Sendable, Equatable {
        var place: UInt32
        var turn: UInt32
    }

    /// An answer to the request that waits at a connection.
    struct Delivery: Sendable {
        var lane: LaneID
        /// Makes the answer, on the door's thread, whose memory it then is from beginning to end.
        var response: DoorReply.Making
    }

    private struct State {
        var deliveries: [Delivery] = []
        var isAsleep = false
        var isStopping = false
    }

    private let state = Mutex(State())
    private let wakeup = Wakeup()

    /// Readable when the door is to wake up.
    var fileDescriptor: Int32 { wakeup.fileDescriptor }

    /// Puts an answer in, from any thread.
    func deliver(_ delivery: Delivery) {
        let isAsleep = state.withLock { state in
            state.deliveries.append(delivery)
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if isAsleep { wakeup.signal() }
    }

    /// Tells the door to end, from any thread.
    func stop() {
        state.withLock { $0.isStopping = true }
        // Also where it is awake: it may have looked before.
        wakeup.signal()
    }

    /// The door is about to sleep. false: there is something, and nobody would wake it.
    func fallAsleep() -> Bool {
        state.withLock { state in
            state.isAsleep = state.deliveries.isEmpty
            return state.isAsleep
        }
    }

    /// The door is awake and takes all answers that there are.
    ///
    /// - Parameter deliveries: empty, for its memory.
    /// - Returns: whether the door is to end.
    func wakeUp(_ deliveries: inout [Delivery]) -> Bool {
        state.withLock { state in
            state.isAsleep = false
            swap(&state.deliveries, &deliveries)
            return state.isStopping
        }
    }

    /// Sleeps until there is something, or the time is up; after `fallAsleep` only.
    func wait(milliseconds: Int32) { wakeup.wait(milliseconds: milliseconds) }

    /// The door has seen that it was woken.
    func clear() { wakeup.clear() }
}
