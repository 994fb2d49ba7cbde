/// What goes through a lane.
enum LaneWork: Sendable {
    case message(LaneItem)
    case beat(BeatItem)

    /// When the door received it, by this machine's monotonic clock.
    var receivedMilliseconds: Int64 {
        switch self {
        case .message(let item): item.receivedMilliseconds
        case .beat(let beat): beat.receivedMilliseconds
        }
    }
}
