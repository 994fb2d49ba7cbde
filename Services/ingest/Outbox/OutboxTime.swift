import Threading

/// The clocks by which the outbox notes when something was received.
struct OutboxTime: Sendable {
    /// This machine's own.
    static let machine = OutboxTime(
        bootID: BootID.current,
        monotonicMilliseconds: { MonotonicClock.nowMilliseconds },
        wallMilliseconds: { WallClock.nowMilliseconds }
    )

    /// Names the run of the machine in which the monotonic clock counts; "": it is not known.
    var bootID: String
    var monotonicMilliseconds: @Sendable () -> Int64
    var wallMilliseconds: @Sendable () -> Int64
}
