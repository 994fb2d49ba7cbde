/// One connection's requests, one after the other, as long as they are plain: read from the bytes as they came.
///
/// Knows no sockets: bytes come in, what to do comes out. At the first byte that does not belong to a plain request the
/// connection goes to NIO's HTTP handlers, for good. So what is odd, wrong or beyond a limit is read and refused there,
/// and only there.
final class FastLane {
    /// What is to be done with the connection.
    enum Step {
        /// More bytes are needed, or the answer that is due.
        case wait
        /// A request is whole; nothing is read from here until it is answered.
        case serve(DoorRequest)
        /// What is left is not plain.
        case pass([UInt8])
    }

    private enum State {
        /// Waits for a request, or for the rest of one.
        case listening
        case answering
        /// The last answer is made.
        case closing
    }

    private let limits: DoorLimits
    private var state = State.listening
    private var pace: Pace
    /// The door shuts down: the answer that is due is the connection's last.
    private(set) var isLast = false
    /// What has come and is not read yet, from `start` on.
    private var unread: [UInt8] = []
    private var start = 0
    /// There is nothing to see in it before so many bytes are there.
    private var unreadCountMin = 1

    init(limits: DoorLimits, nowMilliseconds: Int64) {
        self.limits = limits
        pace = Pace(limits: limits, nowMilliseconds: nowMilliseconds)
    }

    /// More of the client's bytes are wanted: one that sends on and on while its request waits is not read any further.
    var isListening: Bool {
        if case .listening = state { true } else { false }
    }

    /// A request waits for its answer.
    var isAnswering: Bool {
        if case .answering = state { true } else { false }
    }

    /// No request has begun.
    var isIdle: Bool { isListening && start == unread.count }

    /// Whether the client has had its time.
    func isOver(nowMilliseconds: Int64) -> Bool { pace.isOver(nowMilliseconds: nowMilliseconds) }

    /// The answer that is due, or to the request that has begun, is the last.
    func quiesce() { isLast = true }

    /// The first `count` bytes of a buffer have come.
    func take(_ buffer: [UInt8], count: Int, nowMilliseconds: Int64) -> Step {
        pace.bytesCame(nowMilliseconds: nowMilliseconds)
        guard start == unread.count else {
            // Else a client whose last request is always cut would make it grow and grow.
            var bytes = unread
            // Changed outside of the object, in which the runtime would watch each access to what is changed in place.
            unread = []
            bytes.removeFirst(start)
            start = 0
            bytes += buffer[..<count]
            unread = bytes
            return next(nowMilliseconds: nowMilliseconds)
        }
        // Nearly always one read brings one request, which is read where it lies.
        let step = read(buffer, 0..<count)
        let usedCount = start
        start = 0
        unread = []
        if case .pass = step { return step }
        if usedCount < count { unread = Array(buffer[usedCount..<count]) }
        return step
    }

    /// What has come before is looked at, now that the request before it is answered.
    func next(nowMilliseconds: Int64) -> Step {
        guard isListening, unread.count - start >= unreadCountMin else { return .wait }
        pace.bytesCame(nowMilliseconds: nowMilliseconds)
        let step = read(unread, start..<unread.count)
        if start == unread.count {
            unread = []
            start = 0
        }
        return step
    }

    /// The answer is made. false: it is the last one.
    func answered(nowMilliseconds: Int64) -> Bool {
        state = isLast ? .closing : .listening
        pace.requestIsAnswered(nowMilliseconds: nowMilliseconds)
        return !isLast
    }

    /// Reads a request at the beginning of a range, and puts `start` behind it.
    private func read(_ bytes: [UInt8], _ range: Range<Int>) -> Step {
        start = range.lowerBound
        switch PlainRequest.read(bytes.span.extracting(range), limits) {
        case .whole(let request):
            state = .answering
            pace.requestIsWhole()
            unreadCountMin = 1
            start += request.byteCount
            return .serve(DoorRequest(request, in: bytes[range]))
        case .cut(let byteCountMin):
            unreadCountMin = byteCountMin
            return .wait
        case .other:
            state = .closing
            return .pass(Array(bytes[range]))
        }
    }
}

extension DoorRequest {
    /// A request within the bytes that begin with it.
    fileprivate init(_ request: PlainRequest, in bytes: ArraySlice<UInt8>) {
        let place = bytes.startIndex
        self.init(
            method: request.method,
            pathBytes: bytes[place + request.path.lowerBound..<place + request.path.upperBound],
            body: bytes[place + request.body.lowerBound..<place + request.body.upperBound]
        )
    }
}
