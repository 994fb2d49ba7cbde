/// When progress is due: at every interval without a message, and at every tenth of the job. Pure.
///
/// Transitions (start, phases, disks, the end) are sent when they happen; they too count as messages here.
struct Cadence {
    /// Why a progress message is due.
    enum Trigger: Equatable, Sendable {
        case interval
        case tenth
    }

    private let intervalMilliseconds: Int64
    private var lastMessageAtMilliseconds: Int64?
    private var lastTenth = 0

    init(intervalMilliseconds: Int64) {
        self.intervalMilliseconds = intervalMilliseconds
    }

    /// Whether progress is due. Nothing is before the first message.
    func due(percent: Double, nowMilliseconds: Int64) -> Trigger? {
        guard let lastMessageAtMilliseconds else { return nil }
        if tenth(percent) > lastTenth { return .tenth }
        return nowMilliseconds - lastMessageAtMilliseconds >= intervalMilliseconds ? .interval : nil
    }

    /// A message was made.
    mutating func noteMessage(percent: Double, nowMilliseconds: Int64) {
        lastMessageAtMilliseconds = nowMilliseconds
        lastTenth = max(lastTenth, tenth(percent))
    }

    private func tenth(_ percent: Double) -> Int { Int(percent / 10) }
}
