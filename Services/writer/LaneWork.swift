import JobModel

/// What goes through a lane.
enum LaneWork: Sendable {
    case message(LaneItem)
    case beat(BeatItem)
    case known(KnownJobs)

    /// More than progress, so that it comes once and somebody may wait for it.
    var isUrgent: Bool {
        switch self {
        case .message(let item): !item.message.isProgress
        case .beat, .known: false
        }
    }

    /// When the door received it, or somebody read it, by this machine's monotonic clock.
    var receivedMilliseconds: Int64 {
        switch self {
        case .message(let item): item.receivedMilliseconds
        case .beat(let beat): beat.receivedMilliseconds
        case .known(let known): known.receivedMilliseconds
        }
    }
}
