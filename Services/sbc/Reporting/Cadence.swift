/// When progress is due: at every interval without a message, and at every tenth of the job. Pure.
///
/// Transitions (start, phases, disks, the end) are sent when they happen; they too count as messages here. An
/// interval is up to a tenth shorter by chance, so that clients which began together do not report in step.
struct Cadence {
    /// Why a progress message is due.
    enum Trigger: Equatable, Sendable {
        case interval
        case tenth
    }

    private let intervalMilliseconds: Int64
    private var lastMessageAtMilliseconds: Int64?
    private var lastTenth = 0
    private var jitter: Jitter?
    private var shorterMilliseconds: Int64 = 0

    /// - Parameters:
    ///   - intervalMilliseconds: the longest time between two messages.
    ///   - seed: of the chance. nil: every interval is as long as it may be.
    init(intervalMilliseconds: Int64, seed: UInt64? = nil) {
        self.intervalMilliseconds = intervalMilliseconds
        jitter = seed.map { Jitter(state: $0) }
    }

    /// Whether progress is due. Nothing is before the first message.
    func due(percent: Double, nowMilliseconds: Int64) -> Trigger? {
        guard let lastMessageAtMilliseconds else { return nil }
        if tenth(percent) > lastTenth { return .tenth }
        return nowMilliseconds - lastMessageAtMilliseconds >= intervalMilliseconds - shorterMilliseconds
            ? .interval : nil
    }

    /// A message was made.
    mutating func noteMessage(percent: Double, nowMilliseconds: Int64) {
        lastMessageAtMilliseconds = nowMilliseconds
        lastTenth = max(lastTenth, tenth(percent))
        shorterMilliseconds = jitter?.next(upTo: intervalMilliseconds / 10) ?? 0
    }

    private func tenth(_ percent: Double) -> Int { Int(percent / 10) }
}

/// Knuth's linear congruential generator: chance enough to fall out of step.
private struct Jitter {
    var state: UInt64

    mutating func next(upTo max: Int64) -> Int64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int64(state >> 33) % (max + 1)
    }
}
