/// The ingest's only queue: messages that wait to be sent, and sent ones that wait for their verdict.
///
/// Pure: times come in, what to do comes out. Message ids grow by one and both queues are in order of id, which is
/// also the order of age.
struct PublisherWindow<Ticket> {
    private struct Entry {
        var id: UInt64
        var receivedMilliseconds: Int64
        var ticket: Ticket
    }

    private var queued: [Entry] = []
    private var queuedStart = 0
    private var inFlight: [UInt64: Entry] = [:]
    private var nextID: UInt64 = 1
    /// No message that is out was received before this; spares looking at all of them at every turn.
    private var earliestMilliseconds = Int64.max
    private var lastVerdictMilliseconds: Int64

    /// Milliseconds after which a message without a verdict is given up.
    let timeoutMilliseconds: Int64

    init(timeoutMilliseconds: Int64, nowMilliseconds: Int64) {
        self.timeoutMilliseconds = timeoutMilliseconds
        lastVerdictMilliseconds = nowMilliseconds
    }

    /// How many messages have no verdict yet.
    var count: Int { queued.count - queuedStart + inFlight.count }

    /// How many of them were sent.
    var inFlightCount: Int { inFlight.count }

    /// Takes a message in.
    mutating func enqueue(_ ticket: Ticket, receivedMilliseconds: Int64) {
        queued.append(Entry(id: nextID, receivedMilliseconds: receivedMilliseconds, ticket: ticket))
        nextID += 1
    }

    /// The next messages to send together, oldest first; they stay queued until `sent` says that they went out.
    func nextBatch(countMax: Int) -> [(id: UInt64, receivedMilliseconds: Int64, ticket: Ticket)] {
        queued[queuedStart...].prefix(countMax).map { ($0.id, $0.receivedMilliseconds, $0.ticket) }
    }

    /// The first `count` queued messages went out.
    mutating func sent(count: Int, nowMilliseconds: Int64) {
        // The silence of a writer counts from when there was something to answer.
        if inFlight.isEmpty { lastVerdictMilliseconds = max(lastVerdictMilliseconds, nowMilliseconds) }
        for entry in queued[queuedStart..<queuedStart + count] {
            inFlight[entry.id] = entry
            earliestMilliseconds = min(earliestMilliseconds, entry.receivedMilliseconds)
        }
        drop(count)
    }

    /// A verdict came. nil if nobody waits for it any more.
    mutating func resolve(_ id: UInt64, nowMilliseconds: Int64) -> Ticket? {
        lastVerdictMilliseconds = nowMilliseconds
        return inFlight.removeValue(forKey: id)?.ticket
    }

    /// Gives up the messages that have waited too long, oldest first: they may go on to a place where their order
    /// counts.
    mutating func expire(nowMilliseconds: Int64) -> [Ticket] {
        let oldest = nowMilliseconds - timeoutMilliseconds
        var expired = expireInFlight(oldest)
        var count = 0
        while queuedStart + count < queued.count, queued[queuedStart + count].receivedMilliseconds <= oldest {
            expired.append(queued[queuedStart + count].ticket)
            count += 1
        }
        drop(count)
        return expired
    }

    private mutating func expireInFlight(_ oldest: Int64) -> [Ticket] {
        guard earliestMilliseconds <= oldest else { return [] }
        let late = inFlight.values.filter { $0.receivedMilliseconds <= oldest }.sorted { $0.id < $1.id }
        for entry in late { inFlight[entry.id] = nil }
        earliestMilliseconds = inFlight.values.map(\.receivedMilliseconds).min() ?? .max
        return late.map(\.ticket)
    }

    /// Whether messages are out and no verdict at all has come for so long that the connection is to be given up.
    func isSilent(nowMilliseconds: Int64) -> Bool {
        !inFlight.isEmpty && nowMilliseconds - lastVerdictMilliseconds >= timeoutMilliseconds
    }

    /// The connection was given up: what was out must be told so, and must not arrive later.
    mutating func abandonInFlight(nowMilliseconds: Int64) -> [Ticket] {
        lastVerdictMilliseconds = nowMilliseconds
        let tickets = inFlight.values.sorted { $0.id < $1.id }.map(\.ticket)
        inFlight = [:]
        earliestMilliseconds = .max
        return tickets
    }

    private mutating func drop(_ count: Int) {
        queuedStart += count
        // Moving the rest to the front costs little when it happens once per as many drops.
        if queuedStart * 2 >= queued.count {
            queued.removeFirst(queuedStart)
            queuedStart = 0
        }
    }
}
