internal import Synchronization
internal import Threading

/// A token bucket in its other form: who takes bytes reserves the time that they may take, and is told how
/// long to wait for it. Pure; the time is an argument.
struct TokenBucket: Sendable {
    /// How much unused time may be made up for, in nanoseconds: 100 ms keep the rate true over any second.
    static let burstNanoseconds: Int64 = 100_000_000

    private let bytesPerSecond: Int64
    private var freeAtNanoseconds = Int64.min

    /// - Precondition: the rate is above 0.
    init(bytesPerSecond: Int64) {
        precondition(bytesPerSecond > 0)
        self.bytesPerSecond = bytesPerSecond
    }

    /// Takes bytes.
    ///
    /// - Returns: the nanoseconds to wait before they may move.
    mutating func take(_ bytes: Int64, nowNanoseconds: Int64) -> Int64 {
        let start = max(freeAtNanoseconds, nowNanoseconds - Self.burstNanoseconds)
        freeAtNanoseconds = start + Int64(Double(bytes) * 1e9 / Double(bytesPerSecond))
        return max(0, freeAtNanoseconds - nowNanoseconds)
    }
}

/// Holds all workers of a job to one rate.
final class RateLimit: Sendable {
    private let bucket: Mutex<TokenBucket>
    let bytesPerSecond: Int64

    init(bytesPerSecond: Int64) {
        self.bytesPerSecond = bytesPerSecond
        bucket = Mutex(TokenBucket(bytesPerSecond: bytesPerSecond))
    }

    /// Takes these bytes.
    ///
    /// - Returns: the nanoseconds to wait before they may move.
    func delayNanoseconds(forBytes bytes: Int64) -> Int64 {
        bucket.withLock { $0.take(bytes, nowNanoseconds: MonotonicClock.nowNanoseconds) }
    }
}
