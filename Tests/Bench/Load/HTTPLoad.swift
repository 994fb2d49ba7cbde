import Foundation
import StackSupport
import TestSupport
import Threading

/// Clients of the door, all on the calling thread.
///
/// Closed: each connection sends its next message when the answer to the last one is in. That finds the peak; its
/// latencies say little, since nobody sends while the server is slow.
/// Open: messages are due by a plan that knows nothing of the server. One that finds no free connection waits, and
/// its latency counts from when it was due.
final class HTTPLoad {
    /// How messages come.
    enum Pace {
        case closed
        /// Poisson arrivals at a mean rate per second.
        case poisson(perSecond: Double)
        /// Evenly spaced arrivals.
        case even(perSecond: Double)
        /// So many at once every so many seconds.
        case lockstep(count: Int, everySeconds: Double)
    }

    /// What a run came to.
    struct Outcome {
        /// Answers with the status that counts, which came within the time measured.
        var served = 0
        /// Messages that were due within it; 0 where the pace is closed.
        var due = 0
        /// Of the messages that were due within it.
        var latencies = Latencies()
        /// Other statuses, by status, in the whole run.
        var otherStatuses: [Int: Int] = [:]
        /// Connections that broke with a message under way.
        var broken = 0
        /// Messages without an answer at the end.
        var unanswered = 0
        var sentInAll = 0
        var cost = Cost(seconds: 0, cpuSeconds: [:], loadSeconds: 0, othersShare: 0)

        /// Messages that were not served.
        var faultCount: Int { otherStatuses.values.reduce(broken + unanswered, +) }
        var ratePerSecond: Double { Double(served) / cost.seconds }
    }

    private struct Flight {
        /// The message under way; -1: none.
        var number = -1
        var isLate = false
        var dueNanoseconds: Int64 = 0
    }

    private static let drainSeconds = 10.0

    private let port: Int
    private let goodStatus: Int
    private let counter: MessageCounter
    private let epoll: Epoll
    private var sockets: [LoadSocket] = []
    private var flights: [Flight] = []
    /// Connections that nobody waits at: each gets its turn, as the clients that they stand for.
    private var free = Queue<Int>()
    private var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    private var form: RequestForm
    private var lateForm: RequestForm
    /// Of a hundred messages so many are late ones.
    private let latePercent: Int
    private var inFlight = 0
    private var outcome = Outcome()
    /// Answers within it count for the rate.
    private var window = Int64.max...Int64.max
    /// Messages that were due within it count for the latencies.
    private var dueWindow = Int64.max...Int64.max
    private(set) var ledger: Ledger

    /// Connects.
    ///
    /// - Parameters:
    ///   - port: where the server listens.
    ///   - connectionCount: how many connections.
    ///   - kind: the form of the messages.
    ///   - jobs: whom they tell of.
    ///   - counter: numbers them.
    ///   - goodStatus: the status that counts.
    ///   - latePercent: of a hundred messages so many are late ones.
    /// - Throws: `EndToEndError` where nobody listens.
    init(
        port: Int,
        connectionCount: Int,
        kind: RequestForm.Kind = .new,
        jobs: JobSet,
        counter: MessageCounter,
        goodStatus: Int = 200,
        latePercent: Int = 0
    ) throws {
        self.port = port
        self.goodStatus = goodStatus
        self.counter = counter
        self.latePercent = latePercent
        epoll = try Epoll()
        form = RequestForm(kind, jobs)
        lateForm = RequestForm(.late, jobs)
        ledger = Ledger(jobs)
        for place in 0..<connectionCount {
            sockets.append(try LoadSocket(port: port))
            flights.append(Flight())
            try epoll.add(sockets[place].descriptor, place: place)
        }
        for place in 0..<connectionCount { free.put(place) }
    }

    deinit {
        for socket in sockets { socket.end() }
    }

    /// Sends messages for the warm-up and the time that is measured, and waits for the last answers.
    func run(
        _ pace: Pace,
        warmUpSeconds: Double = 0.5,
        seconds: Double,
        meter: Meter,
        seed: UInt64 = 0
    ) throws -> Outcome {
        outcome = Outcome()
        let start = MonotonicClock.nowNanoseconds
        let begin = start + Int64(warmUpSeconds * 1e9)
        // Until it has begun; on a busy machine that may come late.
        var end = Int64.max
        window = end...end
        dueWindow = begin...end
        var plan = Plan(pace, start: start, seed: seed)
        var waiting = Queue<Int64>()
        var before: Meter.Reading?
        var after: Meter.Reading?
        while after == nil || inFlight > 0 || waiting.count > 0 {
            let now = MonotonicClock.nowNanoseconds
            if before == nil, now >= begin {
                before = try meter.read()
                end = now + Int64(seconds * 1e9)
                window = now...end
                dueWindow = begin...end
            }
            if after == nil, now >= end { after = try meter.read() }
            if now >= end, Double(now - end) > Self.drainSeconds * 1e9 { break }
            if now < end {
                try send(&plan, &waiting, now)
            } else if case .closed = pace {
                // Whoever gets an answer now sends no more.
            } else {
                try sendWaiting(&waiting)
            }
            let next = before == nil ? begin : end
            let pause = now < end ? min(plan.nextNanoseconds ?? next, next) - now : 50_000_000
            try epoll.wait(nanoseconds: min(pause, 50_000_000)) { try receive($0) }
        }
        abandon(&waiting)
        if let before, let after { outcome.cost = meter.cost(from: before, to: after) }
        return outcome
    }

    private func send(_ plan: inout Plan, _ waiting: inout Queue<Int64>, _ now: Int64) throws {
        guard !plan.isClosed else {
            while let place = free.take() { try send(place, due: now) }
            return
        }
        try sendWaiting(&waiting)
        while let due = plan.take(now) {
            if dueWindow.contains(due) { outcome.due += 1 }
            if let place = free.take() {
                try send(place, due: due)
            } else {
                waiting.put(due)
            }
        }
    }

    private func sendWaiting(_ waiting: inout Queue<Int64>) throws {
        while waiting.count > 0, let place = free.take(), let due = waiting.take() {
            try send(place, due: due)
        }
    }

    private func send(_ place: Int, due: Int64) throws {
        let number = counter.take()
        let second = WallClock.nowMilliseconds / 1000
        let isLate = latePercent > 0 && number % 100 < latePercent
        flights[place] = Flight(number: number, isLate: isLate, dueNanoseconds: due)
        inFlight += 1
        outcome.sentInAll += 1
        let isSent: Bool
        if isLate {
            lateForm.fill(number, second: second)
            isSent = sockets[place].send(lateForm.bytes)
        } else {
            form.fill(number, second: second)
            isSent = sockets[place].send(form.bytes)
        }
        if !isSent { try reconnect(place) }
    }

    private func receive(_ place: Int) throws {
        switch sockets[place].read(&buffer) {
        case .incomplete: return
        case .broken: try reconnect(place)
        case .answer(let status):
            let flight = flights[place]
            guard flight.number >= 0 else { return try reconnect(place) }
            flights[place].number = -1
            inFlight -= 1
            free.put(place)
            guard status == goodStatus else {
                outcome.otherStatuses[status, default: 0] += 1
                return
            }
            let now = MonotonicClock.nowNanoseconds
            if !flight.isLate { ledger.acknowledged(flight.number) }
            note(flight, now)
        }
    }

    private func note(_ flight: Flight, _ now: Int64) {
        if window.contains(now) { outcome.served += 1 }
        guard dueWindow.contains(flight.dueNanoseconds) else { return }
        outcome.latencies.record(nanoseconds: now - flight.dueNanoseconds)
    }

    /// What has no answer yet is given up; its latency is what it has waited until now.
    private func abandon(_ waiting: inout Queue<Int64>) {
        let now = MonotonicClock.nowNanoseconds
        for place in flights.indices where flights[place].number >= 0 {
            if dueWindow.contains(flights[place].dueNanoseconds) {
                outcome.latencies.record(nanoseconds: now - flights[place].dueNanoseconds)
            }
            outcome.unanswered += 1
        }
        outcome.unanswered += waiting.count
        while let due = waiting.take() { outcome.latencies.record(nanoseconds: now - due) }
    }

    private func reconnect(_ place: Int) throws {
        sockets[place].end()
        sockets[place] = try LoadSocket(port: port)
        try epoll.add(sockets[place].descriptor, place: place)
        guard flights[place].number >= 0 else { return }
        flights[place].number = -1
        inFlight -= 1
        outcome.broken += 1
        free.put(place)
    }
}

/// When messages are due.
private struct Plan {
    private let pace: HTTPLoad.Pace
    private var generator: SplitMix64
    private var due: Int64
    private var left = 0

    init(_ pace: HTTPLoad.Pace, start: Int64, seed: UInt64) {
        self.pace = pace
        generator = SplitMix64(seed: seed)
        due = start
        if case .lockstep(let count, _) = pace { left = count }
    }

    var isClosed: Bool {
        if case .closed = pace { true } else { false }
    }

    /// When the next one is due. nil where it is no matter of time.
    var nextNanoseconds: Int64? { isClosed ? nil : due }

    /// The next message that is due by now. nil: none is.
    mutating func take(_ now: Int64) -> Int64? {
        guard due <= now else { return nil }
        let taken = due
        switch pace {
        case .closed: return nil
        case .even(let perSecond): due += Int64(1e9 / perSecond)
        case .poisson(let perSecond):
            // The distance between arrivals that know nothing of one another.
            due += Int64(
                -log(Double.random(in: .leastNonzeroMagnitude...1, using: &generator)) / perSecond * 1e9
            )
        case .lockstep(let count, let everySeconds):
            left -= 1
            if left == 0 {
                left = count
                due += Int64(everySeconds * 1e9)
            }
        }
        return taken
    }
}

/// First in, first out.
private struct Queue<Element> {
    private var elements: [Element] = []
    private var first = 0

    var count: Int { elements.count - first }

    mutating func put(_ element: Element) { elements.append(element) }

    mutating func take() -> Element? {
        guard first < elements.count else { return nil }
        defer {
            first += 1
            // Moving the rest costs little when it happens once per as many elements.
            if first * 2 >= elements.count {
                elements.removeFirst(first)
                first = 0
            }
        }
        return elements[first]
    }
}
