import JobModel
import Wire

/// What one link to a writer has to say, what it has said, and what comes of the writer's answers.
///
/// Knows no sockets and no clock: times come in, messages for the wire come out.
struct LinkLedger {
    /// Something on its way to the writer.
    struct Ticket: Sendable {
        enum Content: Sendable {
            case message(JobMessage, reply: @Sendable (Outcome) -> Void)
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

    private let ingest: String
    private let runID: [UInt8]
    private let desk: PublisherDesk
    private let status: LinkStatus
    private var window: PublisherWindow<Ticket>
    private var credit = LinkCredit()

    /// - Parameters:
    ///   - ingest: the ingest's configured name.
    ///   - runID: this run of this ingest.
    ///   - timeoutMilliseconds: after so long a message without a verdict is given up.
    ///   - desk: what the links share.
    ///   - status: what is known of this link's writer.
    ///   - nowMilliseconds: now.
    init(
        ingest: String,
        runID: [UInt8],
        timeoutMilliseconds: Int64,
        desk: PublisherDesk,
        status: LinkStatus,
        nowMilliseconds: Int64
    ) {
        self.ingest = ingest
        self.runID = runID
        self.desk = desk
        self.status = status
        window = PublisherWindow(timeoutMilliseconds: timeoutMilliseconds, nowMilliseconds: nowMilliseconds)
    }

    /// How much has no answer yet.
    var count: Int { window.count }

    /// Takes something in.
    mutating func enqueue(_ ticket: consuming Ticket) {
        let since = ticket.sinceMilliseconds
        window.enqueue(ticket, receivedMilliseconds: since)
    }

    /// What goes out next as one message; it stays here until `sent` says that it went out. nil: nothing waits.
    mutating func nextBatch(nowMilliseconds: Int64) -> EnvelopeBatch? {
        guard window.waitingCount > 0 else { return nil }
        var batch = EnvelopeBatch(sender: runID, envelopes: [])
        batch.envelopes.reserveCapacity(min(window.waitingCount, Self.batchCountMax))
        window.forEachNext(countMax: Self.batchCountMax) { id, ticket in
            let age = UInt32(clamping: max(0, nowMilliseconds - ticket.receivedMilliseconds))
            switch ticket.content {
            case .message(let message, _):
                batch.envelopes.append(Envelope(messageID: id, ageMilliseconds: age, message: message))
            case .beat(let signsOff):
                batch.beats.append(
                    Beat(messageID: id, ageMilliseconds: age, ingest: ingest, signsOff: signsOff)
                )
            }
        }
        guard !batch.beats.isEmpty else { return batch }
        if desk.isInterruption(nowMilliseconds: nowMilliseconds) { credit.demand() }
        for index in batch.beats.indices { batch.beats[index].isInterrupted = credit.isDemanded }
        return batch
    }

    /// That batch went out.
    mutating func sent(_ batch: EnvelopeBatch, nowMilliseconds: Int64) {
        for beat in batch.beats { credit.sent(beat.messageID) }
        window.sent(count: batch.envelopes.count + batch.beats.count, nowMilliseconds: nowMilliseconds)
    }

    /// The writer has answered.
    mutating func take(_ answers: AnswerBatch, nowMilliseconds: Int64) {
        for envelope in answers.answers {
            guard let ticket = window.resolve(envelope.messageID, nowMilliseconds: nowMilliseconds) else {
                continue
            }
            switch ticket.content {
            case .message(let message, let reply):
                desk.answered(
                    message,
                    envelope.answer,
                    waitMilliseconds: nowMilliseconds - ticket.sinceMilliseconds,
                    nowMilliseconds: nowMilliseconds
                )
                reply(.answered(envelope.answer))
            case .beat:
                let isStored = envelope.answer.verdict == .applied
                if isStored { credit.stored(envelope.messageID) }
                status.beat(
                    isStored: isStored,
                    detail: envelope.answer.detail,
                    nowMilliseconds: nowMilliseconds
                )
                desk.judge(nowMilliseconds: nowMilliseconds)
            }
        }
    }

    /// Whether the connection is to be given up, since nothing at all is answered.
    func isSilent(nowMilliseconds: Int64) -> Bool { window.isSilent(nowMilliseconds: nowMilliseconds) }

    /// Gives up what has waited too long.
    mutating func expire(nowMilliseconds: Int64) {
        finish(window.expire(nowMilliseconds: nowMilliseconds), Self.noAnswer, nowMilliseconds)
    }

    /// The connection was given up, and with it what was out.
    mutating func abandonInFlight(nowMilliseconds: Int64) {
        finish(window.abandonInFlight(nowMilliseconds: nowMilliseconds), Self.noAnswer, nowMilliseconds)
    }

    /// The ingest ends: whatever is left is given up.
    mutating func close(nowMilliseconds: Int64) {
        finish(
            window.expire(nowMilliseconds: .max),
            "The ingest is shutting down; try again.",
            nowMilliseconds
        )
    }

    private static let noAnswer = "No writer answered in time; try again."

    private func finish(_ tickets: [Ticket], _ detail: String, _ nowMilliseconds: Int64) {
        for ticket in tickets {
            guard case .message(let message, let reply) = ticket.content else { continue }
            let answer = Answer(.unavailable, detail: detail)
            desk.answered(message, answer, waitMilliseconds: nil, nowMilliseconds: nowMilliseconds)
            reply(.answered(answer))
        }
    }
}
