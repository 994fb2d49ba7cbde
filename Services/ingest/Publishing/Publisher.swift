import JobModel
import Logging
import MessageBus
import Metrics
import ServiceKit
import Synchronization
import Threading
import Wire

/// Owns the DEALER socket on a thread of its own: sends what the door took, and hands each verdict back.
final class Publisher: Sendable {
    /// A message at the door's desk, and whom to tell.
    private struct Ticket: Sendable {
        var message: JobMessage
        var receivedMilliseconds: Int64
        var reply: @Sendable (Answer) -> Void
    }

    /// The most messages in one ZeroMQ message.
    private static let batchCountMax = 512
    /// Milliseconds between questions to the writers while there is nothing else to say.
    private static let probeMilliseconds: Int64 = 500

    private let endpoints: [String]
    private let timeoutMilliseconds: Int64
    private let countMax: Int
    private let health: Health
    private let logger: Logger
    private let inbox = Mutex<[Ticket]>([])
    private let outstanding = Atomic<Int>(0)
    private let wakeup = Wakeup()
    private let isStopping = Atomic<Bool>(false)
    /// This run of this ingest, for the writers' logs.
    private let runID: [UInt8]

    private let windowGauge = Gauge(label: "sendense_ingest_window_messages")
    private let reopened = Counter(label: "sendense_ingest_bus_reopened_total")
    private let shed = Counter(label: "sendense_ingest_messages_shed_total")
    private let waited = Metrics.Timer(label: "sendense_ingest_verdict_seconds")

    init(
        endpoints: [String],
        timeoutMilliseconds: Int64,
        countMax: Int,
        health: Health,
        logger: Logger
    ) {
        self.endpoints = endpoints
        self.timeoutMilliseconds = timeoutMilliseconds
        self.countMax = countMax
        self.health = health
        self.logger = logger
        var generator = SystemRandomNumberGenerator()
        runID = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// Sends one message to a writer. The reply comes once, from any thread.
    func publish(_ message: JobMessage, reply: @escaping @Sendable (Answer) -> Void) {
        guard !isStopping.load(ordering: .relaxed) else {
            return reply(Answer(.unavailable, detail: "The ingest is shutting down; try again."))
        }
        guard outstanding.add(1, ordering: .relaxed).newValue <= countMax else {
            outstanding.subtract(1, ordering: .relaxed)
            shed.increment()
            return reply(Answer(.unavailable, detail: "Too many messages wait for a writer; try again."))
        }
        let ticket = Ticket(
            message: message,
            receivedMilliseconds: MonotonicClock.nowMilliseconds,
            reply: reply
        )
        let isFirst = inbox.withLock { inbox in
            inbox.append(ticket)
            return inbox.count == 1
        }
        if isFirst { wakeup.signal() }
    }

    /// The publisher as a service: its thread ends once all that waits is answered.
    func service() -> ThreadService {
        ThreadService(name: "publisher") { [self] in
            isStopping.store(true, ordering: .relaxed)
            wakeup.signal()
        } _: { [self] in
            run()
        }
    }

    private func run() {
        let context = BusContext()
        var window = PublisherWindow<Ticket>(
            timeoutMilliseconds: timeoutMilliseconds,
            nowMilliseconds: MonotonicClock.nowMilliseconds
        )
        while true {
            do {
                try converse(context, &window)
            } catch {
                logger.error("the message bus failed", metadata: ["error": "\(error)"])
            }
            let now = MonotonicClock.nowMilliseconds
            finish(window.abandonInFlight(nowMilliseconds: now), "No writer answered in time; try again.")
            if isStopping.load(ordering: .relaxed) {
                finish(window.expire(nowMilliseconds: .max), "The ingest is shutting down; try again.")
                return
            }
            reopened.increment()
        }
    }

    /// Talks through one socket until it is to be given up.
    private func converse(_ context: BusContext, _ window: inout PublisherWindow<Ticket>) throws(BusError) {
        let socket = try DealerSocket(context, connect: endpoints)
        let opened = MonotonicClock.nowMilliseconds
        var lastHeard: Int64?
        var lastProbe: Int64 = 0
        while true {
            wakeup.clear()
            for ticket in inbox.withLock({ take(&$0) }) {
                window.enqueue(ticket, receivedMilliseconds: ticket.receivedMilliseconds)
            }
            let now = MonotonicClock.nowMilliseconds
            try send(socket, &window, now)
            if try receive(socket, &window) { lastHeard = now }
            let silence = now - (lastHeard ?? opened)
            if lastHeard == nil || silence >= Self.probeMilliseconds,
                now - lastProbe >= Self.probeMilliseconds
            {
                lastProbe = now
                try probe(socket)
            }
            judge(silence: silence, isHeard: lastHeard != nil)
            // Before expiry: what expires is no longer out, and a lone message would never be missed.
            if window.isSilent(nowMilliseconds: now) { return }
            finish(window.expire(nowMilliseconds: now), "No writer answered in time; try again.")
            windowGauge.record(window.count)
            if isStopping.load(ordering: .relaxed), window.count == 0 { return }
            socket.wait(or: wakeup, milliseconds: window.count > 0 ? 20 : 100)
        }
    }

    private func take(_ tickets: inout [Ticket]) -> [Ticket] {
        var taken: [Ticket] = []
        swap(&taken, &tickets)
        return taken
    }

    private func send(
        _ socket: borrowing DealerSocket,
        _ window: inout PublisherWindow<Ticket>,
        _ now: Int64
    ) throws(BusError) {
        while true {
            let batch = window.nextBatch(countMax: Self.batchCountMax)
            guard !batch.isEmpty else { return }
            let envelopes = batch.map { entry in
                Envelope(
                    messageID: entry.id,
                    ageMilliseconds: UInt32(clamping: max(0, now - entry.receivedMilliseconds)),
                    message: entry.ticket.message
                )
            }
            guard try send(socket, EnvelopeBatch(sender: runID, envelopes: envelopes)) else { return }
            window.sent(count: batch.count, nowMilliseconds: now)
        }
    }

    /// An empty batch: a writer that lives answers it with an empty one.
    private func probe(_ socket: borrowing DealerSocket) throws(BusError) {
        _ = try send(socket, EnvelopeBatch(sender: runID, envelopes: []))
    }

    private func send(_ socket: borrowing DealerSocket, _ batch: EnvelopeBatch) throws(BusError) -> Bool {
        do {
            return try socket.send(batch.encoded())
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
        _ window: inout PublisherWindow<Ticket>
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
            let now = MonotonicClock.nowMilliseconds
            for envelope in batch.answers {
                guard let ticket = window.resolve(envelope.messageID, nowMilliseconds: now) else { continue }
                outstanding.subtract(1, ordering: .relaxed)
                waited.recordMilliseconds(now - ticket.receivedMilliseconds)
                ticket.reply(envelope.answer)
            }
        }
        return isHeard
    }

    private func judge(silence: Int64, isHeard: Bool) {
        if silence < max(timeoutMilliseconds, 3 * Self.probeMilliseconds) {
            if isHeard, silence < Self.probeMilliseconds, health.ready("writer") {
                logger.info("a writer answers")
            }
        } else if health.obstructed("writer", by: "no writer answers at \(endpoints.joined(separator: ", "))")
        {
            logger.warning(
                "no writer answers",
                metadata: ["endpoints": "\(endpoints.joined(separator: ","))"]
            )
        }
    }

    private func finish(_ tickets: [Ticket], _ detail: String) {
        for ticket in tickets {
            outstanding.subtract(1, ordering: .relaxed)
            ticket.reply(Answer(.unavailable, detail: detail))
        }
    }
}
