/// Whether so few requests come that a turn of the door for each of them would cost more than all else.
///
/// Counts requests in two windows, the one that runs and the one before. Pure: times come in, in milliseconds by the
/// monotonic clock.
struct Lull {
    /// Fewer requests within two windows are few: some 250 to 500 a second.
    static let requestCountMax = 64
    static let windowMilliseconds: Int64 = 128

    private var window: Int64 = 0
    private var count = 0
    private var countBefore = 0

    /// A request has come.
    mutating func requestCame(nowMilliseconds now: Int64) {
        move(to: now)
        count += 1
    }

    /// Whether few came lately.
    func isQuiet(nowMilliseconds now: Int64) -> Bool {
        var lull = self
        lull.move(to: now)
        return lull.count + lull.countBefore < Self.requestCountMax
    }

    private mutating func move(to now: Int64) {
        let new = now / Self.windowMilliseconds
        guard new != window else { return }
        countBefore = new == window + 1 ? count : 0
        count = 0
        window = new
    }
}
