import JobModel
import Wire

@testable import Ingest

/// A link to a writer: `WriterLink` without its thread and its socket, around the same ledger.
///
/// Unchecked: see `Scheduler`.
final class SimulatedLink: @unchecked Sendable {
    enum Direction {
        case toWriter, fromWriter
    }

    let writer: SimulatedWriter
    let status: LinkStatus
    private unowned let ingest: SimulatedIngest
    private let run: Int
    private let desk: PublisherDesk
    private var ledger: LinkLedger
    private var inbox: [LinkLedger.Ticket] = []
    private var connection: Connection?
    private var openedAt: Int64
    private var lastHeard: Int64?
    private var isTurnDue = false
    private var isPulsing = false
    private var isStopping = false
    private var farewellUntil: Int64?
    private var lastArrival: [Direction: Int64] = [:]
    /// Nothing gets through, in neither direction, and nobody notices.
    var cutUntil: Int64 = 0
    private(set) var hasEnded = false

    init(_ writer: SimulatedWriter, _ ingest: SimulatedIngest, desk: PublisherDesk) {
        self.writer = writer
        self.ingest = ingest
        self.desk = desk
        run = ingest.run
        status = desk.link(writer.name)
        openedAt = ingest.world.scheduler.now
        ledger = LinkLedger(
            ingest: ingest.name,
            runID: [],
            timeoutMilliseconds: Plan.ackTimeoutMilliseconds,
            desk: desk,
            status: status,
            nowMilliseconds: openedAt
        )
        connection = Connection(number: 0, link: self)
    }

    private var scheduler: Scheduler { ingest.world.scheduler }
    /// The ingest has been killed, and the link with it.
    private var isGone: Bool { hasEnded || !ingest.isUp || ingest.run != run }
    var count: Int { ledger.count + inbox.count }

    func publish(
        _ message: JobMessage,
        receivedMilliseconds: Int64,
        reply: @escaping @Sendable (Outcome) -> Void
    ) {
        put(.message(message, reply: reply), receivedMilliseconds)
    }

    func beat() { put(.beat(signsOff: false), scheduler.now) }

    func stop() {
        isStopping = true
        wake()
    }

    private func put(_ content: LinkLedger.Ticket.Content, _ receivedMilliseconds: Int64) {
        inbox.append(
            LinkLedger.Ticket(
                content: content,
                receivedMilliseconds: receivedMilliseconds,
                sinceMilliseconds: scheduler.now
            )
        )
        wake()
    }

    private func wake() {
        guard !isTurnDue else { return }
        isTurnDue = true
        scheduler.after(0) { [self] in
            isTurnDue = false
            turn()
        }
    }

    /// A link with something out looks again and again.
    private func pulse() {
        guard !isPulsing else { return }
        isPulsing = true
        scheduler.after(150) { [self] in
            isPulsing = false
            if ledger.count > 0 { turn() }
        }
    }

    /// As `WriterLink.converse` and what is around it.
    private func turn() {
        guard !isGone else { return }
        guard !ingest.isPaused else {
            return scheduler.after(ingest.pausedUntil - scheduler.now) { [self] in turn() }
        }
        let now = scheduler.now
        var tickets: [LinkLedger.Ticket] = []
        swap(&tickets, &inbox)
        for ticket in tickets { ledger.enqueue(ticket) }
        send(now)
        judge(silence: now - (lastHeard ?? openedAt))
        if ledger.isSilent(nowMilliseconds: now) {
            reopen(now)
        } else {
            ledger.expire(nowMilliseconds: now)
        }
        if isStopping { farewell(now) }
        if ledger.count > 0 { pulse() }
    }

    private func reopen(_ now: Int64) {
        scheduler.trace("\(ingest.name) gives up its connection to \(writer.name)")
        connection = Connection(number: (connection?.number ?? 0) + 1, link: self)
        // What is on its way may still arrive, behind what comes over the next connection.
        lastArrival = [:]
        openedAt = now
        lastHeard = nil
        ledger.abandonInFlight(nowMilliseconds: now)
        if isStopping { end(now) }
    }

    /// As `WriterLink.signOff`.
    private func farewell(_ now: Int64) {
        guard !hasEnded else { return }
        if let farewellUntil {
            if ledger.count == 0 || now >= farewellUntil { end(now) }
        } else if ledger.count == 0 {
            farewellUntil = now + 500
            put(.beat(signsOff: true), now)
        }
    }

    private func end(_ now: Int64) {
        ledger.abandonInFlight(nowMilliseconds: now)
        ledger.close(nowMilliseconds: now)
        hasEnded = true
        ingest.linkEnded()
    }

    private func send(_ now: Int64) {
        // A connection that is known to be gone takes nothing.
        guard writer.isUp || cutUntil > now, let connection else { return }
        while let batch = ledger.nextBatch(nowMilliseconds: now) {
            carry(.toWriter) { [self] in writer.receive(batch, from: connection) }
            ledger.sent(batch, nowMilliseconds: now)
        }
    }

    /// First in, first out; but for what is lost, and what comes twice.
    func carry(_ direction: Direction, _ arrival: @escaping () -> Void) {
        let now = scheduler.now
        let plan = ingest.world.plan
        guard now >= cutUntil, !ingest.world.fails(plan.dropPermille) else {
            return scheduler.trace("a frame between \(ingest.name) and \(writer.name) is lost")
        }
        let delay = scheduler.pick(1...Plan.networkDelayMillisecondsMax)
        let at = max(lastArrival[direction] ?? 0, now + delay)
        lastArrival[direction] = at
        scheduler.after(at - now, arrival)
        if ingest.world.fails(plan.duplicatePermille) {
            scheduler.after(at - now + scheduler.pick(0...3000), arrival)
        }
    }

    /// As `WriterLink.receive`: a closed connection brings nothing.
    func receive(_ answers: AnswerBatch, over connection: Connection) {
        guard !isGone, connection === self.connection else { return }
        guard !ingest.isPaused else {
            return scheduler.after(ingest.pausedUntil - scheduler.now) { [self] in
                receive(answers, over: connection)
            }
        }
        lastHeard = scheduler.now
        ledger.take(answers, nowMilliseconds: scheduler.now)
        wake()
    }

    private func judge(silence: Int64) {
        if silence < max(Plan.ackTimeoutMilliseconds, 1500) {
            if lastHeard != nil, silence < 500 { status.isHeard = true }
        } else {
            status.isHeard = false
        }
        desk.judge(nowMilliseconds: scheduler.now)
    }
}
