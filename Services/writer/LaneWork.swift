/// What goes through a lane.
enum LaneWork: Sendable {
    case message(LaneItem)
    case beat(BeatItem)
}
