/// The ingest's only queue: messages that wait to be sent, and sent ones that wait for their verdict.
///
/// Pure: times come in, what to do comes out. Message ids grow by one, so that one row in order of id, which is also the
/// order of age, holds them all: first those that were sent, then those that were not. A verdict leaves a gap in it, and
/// gaps at its beginning go.
struct PublisherWindow<Ticket> {
    private struct Entry {
        var receivedMilliseconds: Int64
        /// nil: it has its verdict.
        var ticket: Ticket?
    }

    private var entries: [Entry] = []
    /// The entries before this one are gone.
    private var start = 0
    /// The first entry that was not sent.
    private var sentEnd = 0
    /// The id of the entry at `start`.
    private var startID: UInt64 = 1
    /// How many of the entries that were sent have no verdict yet.
    private(set) var inFlightCount = 0
    private var lastVerdictMilliseconds: Int64

    /// Milliseconds after which a message without a verdict is given up.
    let timeoutMilliseconds: Int64

    init(timeoutMilliseconds: Int64, nowMilliseconds: Int64) {
        self.timeoutMilliseconds = timeoutMilliseconds
        lastVerdictMilliseconds = nowMilliseconds
    }

    /// How many messages have no verdict yet.
    var count: Int { inFlightCount + entries.count - sentEnd }

    /// Takes a message in.
    mutating func enqueue(_ ticket: consuming Ticket, receivedMilliseconds: Int64) {
        entries.append(Entry(receivedMilliseconds: receivedMilliseconds, ticket: ticket))
    }

    /// How many messages wait to be sent.
    var waitingCount: Int { entries.count - sentEnd }

    /// Looks at the next messages to send together, oldest first, with their ids; they stay queued until `sent` says that
    /// they went out.
    func forEachNext(countMax: Int, _ look: (UInt64, borrowing Ticket) -> Void) {
        let entries = entries.span
        for place in sentEnd..<min(entries.count, sentEnd + countMax) {
            switch entries[place].ticket {
            case .some(let ticket): look(startID + UInt64(place - start), ticket)
            case nil: break
            }
        }
    }

    /// The first `count` queued messages went out.
    mutating func sent(count: Int, nowMilliseconds: Int64) {
        // The silence of a writer counts from when there was something to answer.
        if inFlightCount == 0 { lastVerdictMilliseconds = max(lastVerdictMilliseconds, nowMilliseconds) }
        sentEnd += count
        inFlightCount += count
    }

    /// A verdict came. nil if nobody waits for it any more.
    mutating func resolve(_ id: UInt64, nowMilliseconds: Int64) -> Ticket? {
        lastVerdictMilliseconds = nowMilliseconds
        guard id >= startID, id - startID < UInt64(sentEnd - start) else { return nil }
        guard let ticket = entries[start + Int(id - startID)].ticket.take() else { return nil }
        inFlightCount -= 1
        trim()
        return ticket
    }

    /// Gives up the messages that have waited too long, oldest first: they may go on to a place where their order
    /// counts.
    mutating func expire(nowMilliseconds: Int64) -> [Ticket] {
        let oldest = nowMilliseconds - timeoutMilliseconds
        var end = start
        while end < entries.count, entries[end].ticket == nil || entries[end].receivedMilliseconds <= oldest {
            end += 1
        }
        return giveUp(before: end)
    }

    /// Whether messages are out and no verdict at all has come for so long that the connection is to be given up.
    func isSilent(nowMilliseconds: Int64) -> Bool {
        inFlightCount > 0 && nowMilliseconds - lastVerdictMilliseconds >= timeoutMilliseconds
    }

    /// The connection was given up: what was out must be told so, and must not arrive later.
    mutating func abandonInFlight(nowMilliseconds: Int64) -> [Ticket] {
        lastVerdictMilliseconds = nowMilliseconds
        return giveUp(before: sentEnd)
    }

    private mutating func giveUp(before end: Int) -> [Ticket] {
        guard start < end else { return [] }
        var tickets: [Ticket] = []
        for place in start..<end {
            guard let ticket = entries[place].ticket else { continue }
            tickets.append(ticket)
            entries[place].ticket = nil
            if place < sentEnd { inFlightCount -= 1 }
        }
        sentEnd = max(sentEnd, end)
        trim()
        return tickets
    }

    /// Lets the gaps at the beginning go.
    private mutating func trim() {
        while start < sentEnd, entries[start].ticket == nil {
            start += 1
            startID += 1
        }
        // Moving the rest to the front costs little when it happens once per as many that go.
        guard start * 2 >= entries.count else { return }
        entries.removeFirst(start)
        sentEnd -= start
        start = 0
    }
}
