import JobModel
import Logging
import Metrics
import ServiceKit
import Synchronization

/// What the links to all writers share: how much waits and for how long, whom nobody could hear, and what the
/// ingest's health says of the writers.
final class PublisherDesk: Sendable {
    private struct State {
        var links: [LinkStatus] = []
        var refused: RefusedJobs
        var congestion: Congestion
        /// Since when messages wait in the outbox. nil: none does.
        var backlogSinceMilliseconds: Int64?
    }

    private let timeoutMilliseconds: Int64
    private let gapMilliseconds: Int64
    private let countMax: Int
    private let health: Health
    private let logger: Logger
    private let state: Mutex<State>
    private let outstanding = Atomic<Int>(0)
    /// `Congestion.Level`, for readers without the lock.
    private let level = Atomic<Int>(0)

    private let windowGauge = Gauge(label: "sendense_ingest_window_messages")
    private let waited = Metrics.Timer(label: "sendense_ingest_verdict_seconds")
    private let shedProgress = Counter(
        label: "sendense_ingest_messages_shed_total",
        dimensions: [("kind", "progress")]
    )
    private let shedOthers = Counter(
        label: "sendense_ingest_messages_shed_total",
        dimensions: [("kind", "transition")]
    )

    /// - Parameters:
    ///   - timeoutMilliseconds: after so long a message without a verdict is given up.
    ///   - gapMilliseconds: a client that goes unheard for so long is an interruption.
    ///   - countMax: the most messages without a verdict.
    ///   - health: the ingest's health.
    ///   - logger: told when writers come and go.
    ///   - nowMilliseconds: now.
    init(
        timeoutMilliseconds: Int64,
        gapMilliseconds: Int64,
        countMax: Int,
        health: Health,
        logger: Logger,
        nowMilliseconds: Int64
    ) {
        self.timeoutMilliseconds = timeoutMilliseconds
        self.gapMilliseconds = gapMilliseconds
        self.countMax = countMax
        self.health = health
        self.logger = logger
        state = Mutex(
            State(
                refused: RefusedJobs(gapMilliseconds: gapMilliseconds),
                congestion: Congestion(
                    timeoutMilliseconds: timeoutMilliseconds,
                    nowMilliseconds: nowMilliseconds
                )
            )
        )
    }

    /// A place for what becomes known of one writer.
    func link(_ endpoint: String) -> LinkStatus {
        let status = LinkStatus(endpoint: endpoint, timeoutMilliseconds: timeoutMilliseconds)
        state.withLock { $0.links.append(status) }
        return status
    }

    /// Takes a message in, or says why it is turned away. One that is in ends with `answered`.
    func enter(_ message: JobMessage, nowMilliseconds: Int64) -> Answer? {
        let count = outstanding.add(1, ordering: .relaxed).newValue
        let level = Congestion.Level(rawValue: level.load(ordering: .relaxed)) ?? .none
        // The last eighth of the window is for what comes only once.
        let limit = message.isProgress ? countMax - countMax / 8 : countMax
        guard count > limit || level == .everything || level == .progress && message.isProgress else {
            return nil
        }
        outstanding.subtract(1, ordering: .relaxed)
        (message.isProgress ? shedProgress : shedOthers).increment()
        refuse(message.jobID, nowMilliseconds: nowMilliseconds)
        return Answer(.unavailable, detail: "Too many messages wait for a writer; try again.")
    }

    /// A message that is in has its answer.
    ///
    /// - Parameters:
    ///   - message: the message.
    ///   - answer: what its client is told.
    ///   - waitMilliseconds: how long it waited for a writer's verdict. nil: none came.
    ///   - nowMilliseconds: now.
    func answered(
        _ message: JobMessage,
        _ answer: Answer,
        waitMilliseconds: Int64?,
        nowMilliseconds: Int64
    ) {
        outstanding.subtract(1, ordering: .relaxed)
        if let waitMilliseconds { waited.recordMilliseconds(waitMilliseconds) }
        state.withLock { state in
            if let waitMilliseconds {
                state.congestion.note(waitMilliseconds: waitMilliseconds, nowMilliseconds: nowMilliseconds)
                level.store(state.congestion.level.rawValue, ordering: .relaxed)
            }
            switch answer.verdict {
            case .unavailable:
                state.refused.refuse(message.jobID, nowMilliseconds: nowMilliseconds)
            case .held:
                // The stale-detector sees for itself that the job's row is held.
                break
            case .applied, .created, .repeated, .superseded, .unknownJob, .unknownDisk, .terminal, .conflict,
                .rejected:
                if !state.refused.isEmpty { state.refused.accept(message.jobID) }
            }
        }
    }

    /// A client was turned away. nil: before it could name its job.
    func refuse(_ job: JobID?, nowMilliseconds: Int64) {
        state.withLock { $0.refused.refuse(job, nowMilliseconds: nowMilliseconds) }
    }

    /// Since when messages wait in the outbox. nil: none does.
    func backlog(sinceMilliseconds: Int64?) {
        state.withLock { $0.backlogSinceMilliseconds = sinceMilliseconds }
    }

    /// Whether messages wait in the outbox.
    var hasBacklog: Bool { state.withLock { $0.backlogSinceMilliseconds != nil } }

    /// Whether some client has gone unheard for too long, up to now.
    func isInterruption(nowMilliseconds: Int64) -> Bool {
        state.withLock { state in
            if let since = state.backlogSinceMilliseconds, nowMilliseconds - since > gapMilliseconds {
                return true
            }
            return state.refused.isInterruption(nowMilliseconds: nowMilliseconds)
        }
    }

    /// Puts what is known of the writers into the ingest's health.
    func judge(nowMilliseconds: Int64) {
        let outstanding = outstanding.load(ordering: .relaxed)
        windowGauge.record(outstanding)
        let links = state.withLock { state in
            state.congestion.turn(nowMilliseconds: nowMilliseconds, isAnyOut: outstanding > 0)
            level.store(state.congestion.level.rawValue, ordering: .relaxed)
            state.refused.forget(nowMilliseconds: nowMilliseconds)
            return state.links
        }
        let endpoints = links.map(\.endpoint).joined(separator: ", ")
        if links.contains(where: \.isHeard) {
            if health.ready("writer") { logger.info("a writer answers") }
        } else if health.obstructed("writer", by: "no writer answers at \(endpoints)") {
            logger.warning("no writer answers", metadata: ["endpoints": "\(endpoints)"])
        }
        if links.contains(where: { $0.isStoring(nowMilliseconds: nowMilliseconds) }) {
            if health.ready("storage") { logger.info("a writer stores what it is told") }
        } else {
            let details = links.map(\.detail).filter { !$0.isEmpty }.joined(separator: " ")
            let reason = "no writer stores what it is told\(details.isEmpty ? "" : ": \(details)")"
            if health.obstructed("storage", by: reason) { logger.warning("no writer stores what it is told") }
        }
    }
}
