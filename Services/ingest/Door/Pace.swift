/// Judges whether a client is slow or idle. Times are milliseconds by the monotonic clock.
struct Pace {
    private enum State {
        case idle(until: Int64)
        case receiving(until: Int64)
        case answering
    }

    private let limits: DoorLimits
    private var state: State

    /// The connection is open.
    init(limits: DoorLimits, nowMilliseconds: Int64) {
        self.limits = limits
        state = .idle(until: nowMilliseconds + limits.idleSeconds * 1000)
    }

    /// Whether the client has had its time.
    func isOver(nowMilliseconds: Int64) -> Bool {
        switch state {
        case .idle(let until), .receiving(let until): nowMilliseconds >= until
        case .answering: false
        }
    }

    /// Bytes have come: the first ones of a request, if none has begun.
    mutating func bytesCame(nowMilliseconds: Int64) {
        guard case .idle = state else { return }
        state = .receiving(until: nowMilliseconds + limits.requestSeconds * 1000)
    }

    /// The request's last byte is in: from here on the time is ours.
    mutating func requestIsWhole() { state = .answering }

    /// The answer is written.
    mutating func requestIsAnswered(nowMilliseconds: Int64) {
        state = .idle(until: nowMilliseconds + limits.idleSeconds * 1000)
    }
}
