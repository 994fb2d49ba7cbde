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
    /// Something on its way to the writer.
    private struct Ticket: Sendable {
        enum Content: Sendable {
            case message(JobMessage, reply: @Sendable (Answer) -> Void)
            case beat(signsOff: Bool)
        }
        var content: Content
        /// When the door received it: long ago, where it comes from the outbox.
        var receivedMilliseconds: Int64
        /// Since when it waits for its verdict.
        var sinceMilliseconds: Int64
    }

    /// The most messages in one ZeroMQ message.
    private static let batchCountMax = 512
    /// Milliseconds between questions to the writer while there is nothing else to say.
    private static let probeMilliseconds: Int64 = 500
    /// Milliseconds between looks at what is known of the writer.
    private static let judgeMilliseconds: Int64 = 50
    /// Milliseconds that a last beat is waited for.
    private static let farewellMilliseconds: Int64 = 500

    /// The writer's ZeroMQ endpoint.
    let endpoint: String
    private let ingest: String
    private let runID: [UInt8]
    private let timeoutMilliseconds: Int64
    private let desk: PublisherDesk
    private let logger: Logger
    private let inbox = Mutex<[Ticket]>([])
    private let wakeup = Wakeup()
    private let isStopping = Atomic<Bool>(false)
    private let status: LinkStatus

    private let reopened = Counter(label: "sendense_ingest_bus_reopened_total")

    init(
        endpoint: String,
        ingest: String,
        runID: [UInt8],
        timeoutMilliseconds: Int64,
        desk: PublisherDesk,
        logger: Logger
    ) {
        self.endpoint = endpoint
        self.ingest = ingest
        self.runID = runID
        self.timeoutMilliseconds = timeoutMilliseconds
        self.desk = desk
        self.logger = logger
        status = desk.link(endpoint)
    }

    /// What is known of the writer.
    var state: LinkStatus { status }

    /// Sends one message. The reply comes once, from any thread.
    func publish(
        _ message: JobMessage,
        receivedMilliseconds: Int64,
        reply: @escaping @Sendable (Answer) -> Void
    ) {
        put(.message(message, reply: reply), receivedMilliseconds)
    }

    /// Sends a sign of life behind what was published before.
    func beat(receivedMilliseconds: Int64) {
        put(.beat(signsOff: false), receivedMilliseconds)
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

    private func put(_ content: Ticket.Content, _ receivedMilliseconds: Int64) {
        let ticket = Ticket(
            content: content,
            receivedMilliseconds: receivedMilliseconds,
            sinceMilliseconds: MonotonicClock.nowMilliseconds
        )
        let isFirst = inbox.withLock { inbox in
            inbox.append(ticket)
            return inbox.count == 1
        }
        if isFirst { wakeup.signal() }
    }

    private func run() {
        let context = BusContext()
        var window = PublisherWindow<Ticket>(
            timeoutMilliseconds: timeoutMilliseconds,
            nowMilliseconds: MonotonicClock.nowMilliseconds
        )
        var credit = LinkCredit()
        while true {
            do {
                try converse(context, &window, &credit)
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
    private func converse(
        _ context: BusContext,
        _ window: inout PublisherWindow<Ticket>,
        _ credit: inout LinkCredit
    ) throws(BusError) {
        let socket = try DealerSocket(context, connect: [endpoint])
        let opened = MonotonicClock.nowMilliseconds
        var lastHeard: Int64?
        var lastProbe: Int64 = 0
        var lastJudged: Int64 = 0
        while true {
            wakeup.clear()
            for ticket in inbox.withLock({ take(&$0) }) {
                window.enqueue(ticket, receivedMilliseconds: ticket.sinceMilliseconds)
            }
            let now = MonotonicClock.nowMilliseconds
            try send(socket, &window, &credit, now)
            if try receive(socket, &window, &credit) { lastHeard = now }
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
            if window.isSilent(nowMilliseconds: now) { return }
            finish(window.expire(nowMilliseconds: now), "No writer answered in time; try again.")
            if isStopping.load(ordering: .relaxed), window.count == 0 {
                return try signOff(socket, &window, &credit)
            }
            socket.wait(or: wakeup, milliseconds: window.count > 0 ? 20 : 100)
        }
    }

    /// Tells the writer that the silence from here on is meant.
    private func signOff(
        _ socket: borrowing DealerSocket,
        _ window: inout PublisherWindow<Ticket>,
        _ credit: inout LinkCredit
    ) throws(BusError) {
        let start = MonotonicClock.nowMilliseconds
        let farewell = Ticket(
            content: .beat(signsOff: true),
            receivedMilliseconds: start,
            sinceMilliseconds: start
        )
        window.enqueue(farewell, receivedMilliseconds: start)
        while window.count > 0, MonotonicClock.nowMilliseconds - start < Self.farewellMilliseconds {
            try send(socket, &window, &credit, MonotonicClock.nowMilliseconds)
            _ = try receive(socket, &window, &credit)
            if window.count > 0 { socket.wait(or: wakeup, milliseconds: 20) }
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
        _ credit: inout LinkCredit,
        _ now: Int64
    ) throws(BusError) {
        while true {
            let batch = window.nextBatch(countMax: Self.batchCountMax)
            guard !batch.isEmpty else { return }
            var envelopes: [Envelope] = []
            var beats: [Beat] = []
            for entry in batch {
                let age = UInt32(clamping: max(0, now - entry.ticket.receivedMilliseconds))
                switch entry.ticket.content {
                case .message(let message, _):
                    envelopes.append(Envelope(messageID: entry.id, ageMilliseconds: age, message: message))
                case .beat(let signsOff):
                    if desk.isInterruption(nowMilliseconds: now) { credit.demand() }
                    let beat = Beat(
                        messageID: entry.id,
                        ageMilliseconds: age,
                        ingest: ingest,
                        isInterrupted: credit.isDemanded,
                        signsOff: signsOff
                    )
                    beats.append(beat)
                }
            }
            let message = EnvelopeBatch(sender: runID, envelopes: envelopes, beats: beats)
            guard try send(socket, message) else { return }
            for beat in beats { credit.sent(beat.messageID) }
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
        _ window: inout PublisherWindow<Ticket>,
        _ credit: inout LinkCredit
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
                switch ticket.content {
                case .message(let message, let reply):
                    desk.answered(
                        message,
                        envelope.answer,
                        waitMilliseconds: now - ticket.sinceMilliseconds,
                        nowMilliseconds: now
                    )
                    reply(envelope.answer)
                case .beat:
                    let isStored = envelope.answer.verdict == .applied
                    if isStored { credit.stored(envelope.messageID) }
                    status.beat(isStored: isStored, detail: envelope.answer.detail, nowMilliseconds: now)
                    desk.judge(nowMilliseconds: now)
                }
            }
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

    private func finish(_ tickets: [Ticket], _ detail: String) {
        let now = MonotonicClock.nowMilliseconds
        for ticket in tickets {
            guard case .message(let message, let reply) = ticket.content else { continue }
            let answer = Answer(.unavailable, detail: detail)
            desk.answered(message, answer, waitMilliseconds: nil, nowMilliseconds: now)
            reply(answer)
        }
    }
}
