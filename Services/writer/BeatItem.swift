import Synchronization

/// A sign of life of an ingest on its way through a lane.
struct BeatItem: Sendable {
    /// The ZeroMQ address of the ingest.
    var sender: [UInt8]
    /// The beat's id at that ingest.
    var messageID: UInt64
    /// The ingest's configured name.
    var ingest: String
    /// When the door received it, by this machine's monotonic clock.
    var receivedMilliseconds: Int64
    /// Since the last beat that was stored there were messages that nobody could store.
    var isInterrupted: Bool
    /// The ingest ends in order.
    var signsOff: Bool
    /// What the lanes together make of it.
    var tally: BeatTally
}

/// Counts the lanes that have dealt with a beat.
///
/// One that stores it is enough for the ingest: a lane that is stuck must not keep the messages of the others from the
/// writer. The stale-detector looks at each lane's row.
final class BeatTally: Sendable {
    private let state: Mutex<(open: Int, isAnswered: Bool)>

    init(laneCount: Int) {
        state = Mutex((laneCount, false))
    }

    /// One more lane has dealt with it.
    ///
    /// - Returns: what to tell the ingest: true with the first that has stored it, false with the last if none has.
    ///   nil: nothing.
    func note(isStored: Bool) -> Bool? {
        state.withLock { state in
            state.open -= 1
            guard !state.isAnswered, isStored || state.open == 0 else { return nil }
            state.isAnswered = true
            return isStored
        }
    }
}
