import JobModel

/// What goes through a lane.
enum LaneWork: Sendable {
    case message(LaneItem)
    case beat(BeatItem)

    /// More than progress, so that it comes once and somebody may wait for it.
    var isUrgent: Bool {
        switch self {
        case .message(let item): !item.message.isProgress
        case .beat: false
        }
    }

    /// When the door received it, by this machine's monotonic clock.
    var receivedMilliseconds: Int64 {
        switch self {
        case .message(let item): item.receivedMilliseconds
        case .beat(let beat): beat.receivedMilliseconds
        }
    }
}
