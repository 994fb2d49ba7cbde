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

/// Counts the lanes that have stored a beat.
final class BeatTally: Sendable {
    private let state: Mutex<(open: Int, isStored: Bool)>

    init(laneCount: Int) {
        state = Mutex((laneCount, true))
    }

    /// One more lane has dealt with it. The last one gets whether all have stored it, the others nil.
    func note(isStored: Bool) -> Bool? {
        state.withLock { state in
            state.open -= 1
            state.isStored = state.isStored && isStored
            return state.open == 0 ? state.isStored : nil
        }
    }
}
