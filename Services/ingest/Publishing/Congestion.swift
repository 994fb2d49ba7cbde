/// How long messages wait for their verdicts: beyond a limit new ones are turned away at once, so that those that
/// are taken still get an answer in time.
///
/// What counts is the shortest wait within a quarter of a second (as in CoDel, RFC 8289): a burst makes long waits
/// and short ones, and so does one lane that is stuck; only a queue that never empties makes nothing but long ones.
struct Congestion {
    /// What is turned away.
    enum Level: Int, Comparable {
        case none, progress, everything

        static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    private static let slotMilliseconds: Int64 = 250

    private let timeoutMilliseconds: Int64
    private var slotStart: Int64
    private var shortestWait: Int64?
    /// What is turned away now.
    private(set) var level = Level.none

    /// - Parameters:
    ///   - timeoutMilliseconds: after so long a message without a verdict is given up.
    ///   - nowMilliseconds: now.
    init(timeoutMilliseconds: Int64, nowMilliseconds: Int64) {
        self.timeoutMilliseconds = timeoutMilliseconds
        slotStart = nowMilliseconds
    }

    /// A verdict came after so long.
    mutating func note(waitMilliseconds: Int64, nowMilliseconds: Int64) {
        turn(nowMilliseconds: nowMilliseconds, isAnyOut: true)
        shortestWait = min(shortestWait ?? .max, waitMilliseconds)
    }

    /// Judges the slot that has ended.
    ///
    /// One without a verdict tells nothing while messages wait for theirs: commits may take longer than a slot, and the
    /// verdicts of each come at once.
    ///
    /// - Parameters:
    ///   - nowMilliseconds: now.
    ///   - isAnyOut: messages wait for their verdicts.
    mutating func turn(nowMilliseconds: Int64, isAnyOut: Bool) {
        guard nowMilliseconds - slotStart >= Self.slotMilliseconds else { return }
        slotStart = nowMilliseconds
        guard let wait = shortestWait else {
            if !isAnyOut { level = .none }
            return
        }
        shortestWait = nil
        level =
            wait >= timeoutMilliseconds * 3 / 4
            ? .everything : wait >= timeoutMilliseconds / 4 ? .progress : .none
    }
}
