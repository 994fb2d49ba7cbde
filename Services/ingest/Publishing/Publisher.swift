import JobModel
import Logging
import ServiceKit
import ServiceLifecycle
import Synchronization
import Threading

/// Chooses a writer for each message, and beats through all of them.
final class Publisher: Sendable {
    private let links: [WriterLink]
    private let states: [LinkStatus]
    private let desk: PublisherDesk
    private let isStopping = Atomic<Bool>(false)

    /// Creates the publisher.
    ///
    /// - Parameters:
    ///   - endpoints: the writers' ZeroMQ endpoints.
    ///   - ingest: the ingest's configured name.
    ///   - timeoutMilliseconds: after so long a message without a verdict is given up.
    ///   - desk: what the links share.
    ///   - logger: the ingest's logger.
    init(
        endpoints: [String],
        ingest: String,
        timeoutMilliseconds: Int64,
        desk: PublisherDesk,
        logger: Logger
    ) {
        self.desk = desk
        var generator = SystemRandomNumberGenerator()
        // This run of this ingest, for the writers' logs.
        let runID = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        links = endpoints.map { endpoint in
            WriterLink(
                endpoint: endpoint,
                ingest: ingest,
                runID: runID,
                timeoutMilliseconds: timeoutMilliseconds,
                desk: desk,
                logger: logger
            )
        }
        states = links.map(\.state)
    }

    /// Takes in one message for a writer, which goes out with the next `send`. The reply comes once, from any thread.
    ///
    /// - Parameters:
    ///   - message: the message.
    ///   - receivedMilliseconds: when the door received it, by this machine's monotonic clock. nil: now.
    ///   - reply: gets the answer: never `kept`.
    func publish(
        _ message: JobMessage,
        receivedMilliseconds: Int64? = nil,
        reply: @escaping @Sendable (Outcome) -> Void
    ) {
        guard !isStopping.load(ordering: .relaxed) else {
            return reply(.answered(Answer(.unavailable, detail: "The ingest is shutting down; try again.")))
        }
        let now = MonotonicClock.nowMilliseconds
        guard let link = link(for: message.jobID, now) else {
            desk.refuse(message.jobID, nowMilliseconds: now)
            let details = states.map(\.detail).filter { !$0.isEmpty }.joined(separator: " ")
            let why = details.isEmpty ? "No writer answers." : details
            return reply(.answered(Answer(.unavailable, detail: "\(why) Try again.")))
        }
        if let refusal = desk.enter(message, nowMilliseconds: now) { return reply(.answered(refusal)) }
        link.publish(
            message,
            receivedMilliseconds: receivedMilliseconds ?? now,
            nowMilliseconds: now,
            reply: reply
        )
    }

    /// Takes in a sign of life for all writers, behind what was published before.
    func beat() {
        let now = MonotonicClock.nowMilliseconds
        for link in links { link.beat(nowMilliseconds: now) }
    }

    /// Sends what was published: once for all that came together, since each message that is sent alone wakes a chain of
    /// threads.
    func send() {
        for link in links { link.send() }
    }

    /// Whether some writer stores what it is told.
    var isStoring: Bool {
        let now = MonotonicClock.nowMilliseconds
        return states.contains { $0.isStoring(nowMilliseconds: now) }
    }

    /// The links as services: each ends once all that waits in it is answered.
    func services() -> [any Service] {
        links.enumerated().map { number, link in link.service(number: number) }
            + [PublisherGate(close: { [self] in isStopping.store(true, ordering: .relaxed) })]
    }

    private func link(for job: JobID, _ now: Int64) -> WriterLink? {
        WriterChoice.index(for: job, among: states, nowMilliseconds: now).map { links[$0] }
    }
}

/// Closes the publisher to new messages at shutdown, before the links end.
private struct PublisherGate: Service {
    let close: @Sendable () -> Void

    func run() async throws {
        try? await gracefulShutdown()
        close()
    }
}
