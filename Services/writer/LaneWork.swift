import JobModel

/// What goes through a lane.
enum LaneWork: Sendable {
    case message(LaneItem)
    case beat(BeatItem)
    case known(KnownJobs)

    /// It comes once, and somebody may wait for it: all but progress and beats.
    var isUrgent: Bool {
        switch self {
        case .message(let item): !item.message.isProgress
        case .known: true
        case .beat: false
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
