/// The speed of the last seconds: bytes really moved over a sliding window, so that a stall shows as one.
/// Pure.
struct SpeedWindow {
    /// A difference over less time says more about chance than about speed.
    static let spanMillisecondsMin: Int64 = 500

    private let spanMilliseconds: Int64
    private var samples: [(atMilliseconds: Int64, moved: Int64)] = []

    init(spanMilliseconds: Int64 = 10_000) {
        self.spanMilliseconds = spanMilliseconds
    }

    /// Notes the bytes moved so far.
    mutating func add(moved: Int64, nowMilliseconds: Int64) {
        samples.append((nowMilliseconds, moved))
        // One sample from before the window stays, so that the window is covered from its beginning.
        while samples.count > 2, samples[1].atMilliseconds <= nowMilliseconds - spanMilliseconds {
            samples.removeFirst()
        }
    }

    /// Forgets all: what follows has another pace.
    mutating func reset() {
        samples = []
    }

    /// Bytes per second. nil while unknown.
    var bytesPerSecond: Int64? {
        guard let first = samples.first, let last = samples.last else { return nil }
        let span = last.atMilliseconds - first.atMilliseconds
        guard span >= Self.spanMillisecondsMin else { return nil }
        return max(0, last.moved - first.moved) * 1000 / span
    }

    /// Seconds until this much data has moved, rounded up. nil while unknown, or while nothing moves.
    func etaSeconds(dataToGo: Int64?) -> Int64? {
        guard let dataToGo else { return nil }
        guard dataToGo > 0 else { return 0 }
        guard let bytesPerSecond, bytesPerSecond > 0 else { return nil }
        return (dataToGo + bytesPerSecond - 1) / bytesPerSecond
    }
}
