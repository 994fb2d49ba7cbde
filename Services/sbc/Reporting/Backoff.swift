/// How long to wait before trying again: exponential, jittered, and never sooner than the server asks. Pure
/// but for the generator it is given.
struct Backoff {
    static let millisecondsMin: Int64 = 250
    static let millisecondsMax: Int64 = 5000
    /// The most of a `Retry-After` that is obeyed: longer, and the hub would take the job for stalled.
    static let retryAfterMillisecondsMax: Int64 = 60_000

    private var failureCount = 0

    /// One more failure.
    ///
    /// - Returns: the milliseconds to wait.
    mutating func next(retryAfterSeconds: Int?, using generator: inout some RandomNumberGenerator) -> Int64 {
        let ceiling = min(Self.millisecondsMax, Self.millisecondsMin << Int64(min(failureCount, 10)))
        failureCount += 1
        let jittered = Int64.random(in: ceiling / 2...ceiling, using: &generator)
        return max(jittered, Self.milliseconds(retryAfterSeconds: retryAfterSeconds))
    }

    /// What is obeyed of a `Retry-After`.
    static func milliseconds(retryAfterSeconds: Int?) -> Int64 {
        min(Int64(max(0, min(retryAfterSeconds ?? 0, 3600))) * 1000, retryAfterMillisecondsMax)
    }

    /// It worked: the next failure is a first one.
    mutating func reset() {
        failureCount = 0
    }
}
