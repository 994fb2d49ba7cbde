import JobModel
import Logging
import MessageBus
import Metrics
import ServiceKit
import Synchronization
import Threading
import Wire

/// The way to one writer: owns a DEALER socket on a thread of its own, sends what the door took, and hands each
/// verdict back.
final class WriterLink: Sendable {
    /// Milliseconds between questions to the writer while there is nothing else to say.
    private static let probeMilliseconds: Int64 = 500
    /// Milliseconds between looks at what is known of the writer.
    private static let judgeMilliseconds: Int64 = 50
    /// Milliseconds between tries where no socket can be made.
    private static let failurePauseMilliseconds = 200
    /// Milliseconds after a message within which no other goes out: what comes meanwhile goes together.
    private static let restMilliseconds: Int64 = 1
    /// So many tickets do not wait for the end of a long rest: a lane that gets its share of them has company enough.
    static let companyCount = 32
    /// Fewer tickets in a message are few.
    private static let fewTicketCount = 8
    /// Milliseconds that a last beat is waited for.
    private static let farewellMilliseconds: Int64 = 500

    /// The writer's ZeroMQ endpoint.
    let endpoint: String
    private let ingest: String
    private let runID: [UInt8]
    private let timeoutMilliseconds: Int64
    /// As `restMilliseconds`, while few tickets come and some have no answer yet: the writer gathers them anyway, for
    /// longer, and each message costs the wake-ups of five threads.
    private let longRestMilliseconds: Int64
    private let desk: PublisherDesk
    private let logger: Logger
    private let inbox = Mutex<[LinkLedger.Ticket]>([])
    /// For fewer tickets in the inbox the thread need not be woken: it will look there by itself, and soon.
    private let wakeCount = Atomic<Int>(1)
    private let wakeup = Wakeup()
    private let isStopping = Atomic<Bool>(false)
    private let hasBeaten = Atomic<Bool>(false)
    private let status: LinkStatus

    private let reopened = Counter(label: "sendense_ingest_bus_reopened_total")

    init(
        endpoint: String,
        ingest: String,
        runID: [UInt8],
        timeoutMilliseconds: Int64,
        longRestMilliseconds: Int64 = 25,
        desk: PublisherDesk,
        logger: Logger
    ) {
        self.endpoint = endpoint
        self.ingest = ingest
        self.runID = runID
        self.timeoutMilliseconds = timeoutMilliseconds
        self.longRestMilliseconds = longRestMilliseconds
        self.desk = desk
        self.logger = logger
        status = desk.link(endpoint)
    }

    /// What is known of the writer.
    var state: LinkStatus { status }

    /// Takes one message in, which goes out after `send` at the latest. The reply comes once, from any thread.
    func publish(
        _ message: JobMessage,
        receivedMilliseconds: Int64,
        nowMilliseconds: Int64,
        reply: @escaping @Sendable (Outcome) -> Void
    ) {
        put(.message(message, reply: reply), receivedMilliseconds, nowMilliseconds)
    }

    /// Takes a sign of life in, behind what was published before.
    func beat(nowMilliseconds: Int64) {
        hasBeaten.store(true, ordering: .relaxed)
        put(.beat(signsOff: false), nowMilliseconds, nowMilliseconds)
    }

    /// Sends what was taken in.
    func send() {
        let count = inbox.withLock { $0.count }
        if count >= wakeCount.load(ordering: .acquiring) { wakeup.signal() }
    }

    /// The link as a service: its thread ends once all that waits is answered.
    func service(number: Int) -> ThreadService {
        ThreadService(name: "writer-link-\(number)") { [self] in
            isStopping.store(true, ordering: .relaxed)
            wakeup.signal()
        } _: { [self] in
            run()
        }
    }

    private func put(
        _ content: LinkLedger.Ticket.Content,
        _ receivedMilliseconds: Int64,
        _ nowMilliseconds: Int64
    ) {
        inbox.withLock {
            $0.append(
                LinkLedger.Ticket(
                    content: content,
                    receivedMilliseconds: receivedMilliseconds,
                    sinceMilliseconds: nowMilliseconds
                )
            )
        }
    }

    private func run() {
        let context = BusContext()
        var ledger = LinkLedger(
            ingest: ingest,
            runID: runID,
            timeoutMilliseconds: timeoutMilliseconds,
            desk: desk,
            status: status,
            nowMilliseconds: MonotonicClock.nowMilliseconds
        )
        while true {
            do {
                try converse(context, &ledger)
            } catch {
                logger.error("the message bus failed", metadata: ["error": "\(error)"])
                // It may fail the next time, too; those that wait are answered all the same.
                for ticket in inbox.withLock({ take(&$0) }) { ledger.enqueue(ticket) }
                ledger.expire(nowMilliseconds: MonotonicClock.nowMilliseconds)
                Pause.milliseconds(Self.failurePauseMilliseconds)
            }
            let now = MonotonicClock.nowMilliseconds
            ledger.abandonInFlight(nowMilliseconds: now)
            if isStopping.load(ordering: .relaxed) { return ledger.close(nowMilliseconds: now) }
            reopened.increment()
        }
    }

    /// Talks through one socket until it is to be given up.
    private func converse(
        _ context: BusContext,
        _ ledger: inout LinkLedger
    ) throws(BusError) {
        let socket = try DealerSocket(context, connect: [endpoint])
        let opened = MonotonicClock.nowMilliseconds
        var lastHeard: Int64?
        var lastProbe: Int64 = 0
        var lastJudged: Int64 = 0
        // For their memory, from turn to turn.
        var tickets: [LinkLedger.Ticket] = []
        var frame: [UInt8] = []
        while true {
            wakeup.clear()
            inbox.withLock { swap(&tickets, &$0) }
            for ticket in tickets { ledger.enqueue(ticket) }
            tickets.removeAll(keepingCapacity: true)
            let now = MonotonicClock.nowMilliseconds
            let sentCount = try send(socket, &ledger, &frame, now)
            if try receive(socket, &ledger) { lastHeard = now }
            let silence = now - (lastHeard ?? opened)
            if lastHeard == nil || silence >= Self.probeMilliseconds,
                now - lastProbe >= Self.probeMilliseconds
            {
                lastProbe = now
                try probe(socket)
            }
            if now - lastJudged >= Self.judgeMilliseconds {
                lastJudged = now
                judge(silence: silence, isHeard: lastHeard != nil)
            }
            // Before expiry: what expires is no longer out, and a lone message would never be missed.
            if ledger.isSilent(nowMilliseconds: now) { return }
            ledger.expire(nowMilliseconds: now)
            if isStopping.load(ordering: .relaxed), ledger.count == 0 {
                // What waits in the outbox is not recorded: the silence from here on is ours. And one whose door never
                // opened may be the twin of an ingest that works, which it must not sign off.
                let isSilenceMeant = hasBeaten.load(ordering: .relaxed) && !desk.hasBacklog
                return isSilenceMeant ? try signOff(socket, &ledger) : ()
            }
            if sentCount > 0 {
                let hasFew = sentCount < Self.fewTicketCount
                if try rest(socket, &ledger, hasFew: hasFew) { lastHeard = MonotonicClock.nowMilliseconds }
            } else {
                socket.wait(or: wakeup, milliseconds: ledger.count > 0 ? 20 : 100)
            }
        }
    }

    /// Takes nothing but answers for a moment. Each message that goes out wakes a chain of threads as far as the database,
    /// which costs more than all that is in a small one; a message that comes after a pause does not wait.
    ///
    /// - Parameters:
    ///   - socket: where they come from.
    ///   - ledger: takes them.
    ///   - hasFew: the last message had few tickets.
    /// - Returns: whether an answer came.
    /// - Throws: `BusError` where the socket is to be given up.
    private func rest(
        _ socket: borrowing DealerSocket,
        _ ledger: inout LinkLedger,
        hasFew: Bool
    ) throws(BusError) -> Bool {
        wakeCount.store(hasFew ? Self.companyCount : .max, ordering: .releasing)
        defer { wakeCount.store(1, ordering: .releasing) }
        let start = MonotonicClock.nowMilliseconds
        var now = start
        var isHeard = false
        func end() -> Int64 {
            start + (hasFew && ledger.count > 0 ? longRestMilliseconds : Self.restMilliseconds)
        }
        repeat {
            if hasFew {
                // Before the look into the inbox: a word that comes after it is of what was not there.
                wakeup.clear()
                guard inbox.withLock({ $0.count }) < Self.companyCount else { break }
                socket.wait(or: wakeup, milliseconds: Int(max(1, end() - now)))
            } else {
                socket.wait(milliseconds: Int(max(1, end() - now)))
            }
            if try receive(socket, &ledger) { isHeard = true }
            now = MonotonicClock.nowMilliseconds
        } while now < end()
        return isHeard
    }

    /// Tells the writer that the silence from here on is meant.
    private func signOff(
        _ socket: borrowing DealerSocket,
        _ ledger: inout LinkLedger
    ) throws(BusError) {
        let start = MonotonicClock.nowMilliseconds
        let farewell = LinkLedger.Ticket(
            content: .beat(signsOff: true),
            receivedMilliseconds: start,
            sinceMilliseconds: start
        )
        ledger.enqueue(farewell)
        var frame: [UInt8] = []
        while ledger.count > 0, MonotonicClock.nowMilliseconds - start < Self.farewellMilliseconds {
            _ = try send(socket, &ledger, &frame, MonotonicClock.nowMilliseconds)
            _ = try receive(socket, &ledger)
            if ledger.count > 0 { socket.wait(or: wakeup, milliseconds: 20) }
        }
    }

    private func take(_ tickets: inout [LinkLedger.Ticket]) -> [LinkLedger.Ticket] {
        var taken: [LinkLedger.Ticket] = []
        swap(&taken, &tickets)
        return taken
    }

    private func send(
        _ socket: borrowing DealerSocket,
        _ ledger: inout LinkLedger,
        _ frame: inout [UInt8],
        _ now: Int64
    ) throws(BusError) -> Int {
        var sentCount = 0
        while let batch = ledger.nextBatch(nowMilliseconds: now) {
            guard try send(socket, batch, &frame) else { break }
            ledger.sent(batch, nowMilliseconds: now)
            sentCount += batch.envelopes.count + batch.beats.count
        }
        return sentCount
    }

    /// An empty batch: a writer that lives answers it with an empty one.
    private func probe(_ socket: borrowing DealerSocket) throws(BusError) {
        var frame: [UInt8] = []
        _ = try send(socket, EnvelopeBatch(sender: runID, envelopes: []), &frame)
    }

    private func send(
        _ socket: borrowing DealerSocket,
        _ batch: EnvelopeBatch,
        _ frame: inout [UInt8]
    ) throws(BusError) -> Bool {
        do {
            try batch.encode(into: &frame)
            return try socket.send(frame)
        } catch let error as WireError {
            // Counts as sent: it would not encode the next time either, and is answered when its time is up.
            logger.error("a batch could not be encoded", metadata: ["error": "\(error)"])
            return true
        } catch let error as BusError {
            throw error
        } catch {
            return false
        }
    }

    private func receive(
        _ socket: borrowing DealerSocket,
        _ ledger: inout LinkLedger
    ) throws(BusError) -> Bool {
        var isHeard = false
        while let frame = try socket.receive() {
            isHeard = true
            let batch: AnswerBatch
            do {
                batch = try AnswerBatch(decoding: frame)
            } catch {
                logger.warning("answers could not be read", metadata: ["error": "\(error)"])
                continue
            }
            ledger.take(batch, nowMilliseconds: MonotonicClock.nowMilliseconds)
        }
        return isHeard
    }

    private func judge(silence: Int64, isHeard: Bool) {
        if silence < max(timeoutMilliseconds, 3 * Self.probeMilliseconds) {
            guard isHeard, silence < Self.probeMilliseconds else { return }
            status.isHeard = true
        } else {
            status.isHeard = false
        }
        desk.judge(nowMilliseconds: MonotonicClock.nowMilliseconds)
    }
}
