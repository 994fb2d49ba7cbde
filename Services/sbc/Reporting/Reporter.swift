internal import Curl
internal import Glibc
internal import Logging
internal import Synchronization
internal import Threading

/// Reports a job to the hub from a thread of its own. The copy only posts events, which never blocks, and
/// adds to the counters that this reads.
final class Reporter: Sendable {
    struct Settings: Sendable {
        var hubURL: String
        /// The longest time without a message while the hub answers.
        var intervalMilliseconds: Int64 = 5000
        /// How often the counters are looked at.
        var tickMilliseconds = 100
    }

    /// More than one job of the most disks can post, so that `post` never meets a full mailbox.
    static let eventCountMax = 4096

    private let events = Mailbox<ReportEvent>(countMax: Reporter.eventCountMax)
    private let counters: JobCounters
    private let settings: Settings
    private let writer: MessageWriter
    private let cancellation: Cancellation
    private let saveState: @Sendable (_ attempt: Int64, _ lastSeq: Int64) -> Void
    private let logger: Logger
    private let registrationTried = Latch()
    private let thread = Mutex<DedicatedThread?>(nil)
    private let summary: Mutex<ReportSummary>
    private let deadlineMilliseconds = Atomic<Int64>(Int64.max)

    /// A reporter that has not started. `saveState` is called on its thread when the attempt changes and as
    /// `seq` grows.
    init(
        writer: MessageWriter,
        counters: JobCounters,
        settings: Settings,
        attempt: Int64,
        cancellation: Cancellation,
        logger: Logger,
        saveState: @escaping @Sendable (_ attempt: Int64, _ lastSeq: Int64) -> Void
    ) {
        self.writer = writer
        self.counters = counters
        self.settings = settings
        self.cancellation = cancellation
        self.logger = logger
        self.saveState = saveState
        summary = Mutex(ReportSummary(attempt: attempt))
    }

    /// Starts the thread; the registration is the first thing that it sends.
    func start() {
        let attempt = summary.withLock { $0.attempt }
        let started = DedicatedThread(name: "reporter") { [self] in run(attempt: attempt) }
        thread.withLock { $0 = started }
    }

    /// Tells of something that happened. Never blocks; after `finish` it does nothing.
    func post(_ kind: ReportEvent.Kind) {
        _ = events.put(
            ReportEvent(
                kind: kind,
                progress: counters.progress,
                atMilliseconds: WallClock.nowMilliseconds
            )
        )
    }

    /// Waits until the hub has answered the registration, or one try has failed, or the time is up.
    func waitForRegistration(milliseconds: Int) {
        registrationTried.wait(milliseconds: milliseconds)
    }

    /// Delivers what is left, for this long at most, and ends the thread.
    func finish(drainMilliseconds: Int64) -> ReportSummary {
        deadlineMilliseconds.store(
            MonotonicClock.nowMilliseconds + drainMilliseconds,
            ordering: .releasing
        )
        events.close()
        thread.withLock { $0 }?.join()
        return summary.withLock { $0 }
    }

    // MARK: - On the reporter's thread

    private func run(attempt: Int64) {
        do throws(CurlError) {
            var client = try HubClient(hubURL: settings.hubURL, writer: writer)
            var desk = ReportDesk(attempt: attempt, intervalMilliseconds: settings.intervalMilliseconds)
            loop(&client, &desk)
            finishSummary(desk)
        } catch {
            logger.error("SHA telemetry is off: libcurl cannot be set up", metadata: ["error": "\(error)"])
            registrationTried.open()
        }
    }

    private func loop(_ client: inout HubClient, _ desk: inout ReportDesk) {
        while true {
            let wait = desk.waitMilliseconds(
                nowMilliseconds: MonotonicClock.nowMilliseconds,
                tickMilliseconds: settings.tickMilliseconds
            )
            let taken = events.takeAll(waitingMilliseconds: wait)
            for event in taken ?? [] {
                desk.note(event, nowMilliseconds: MonotonicClock.nowMilliseconds)
            }
            let now = MonotonicClock.nowMilliseconds
            let isFinishing = taken == nil
            if !isFinishing {
                desk.tick(
                    counters.progress,
                    nowMilliseconds: now,
                    wallMilliseconds: WallClock.nowMilliseconds
                )
            } else {
                let deadline = deadlineMilliseconds.load(ordering: .acquiring)
                // What may only be sent after the deadline is not worth waiting for.
                guard let nextAt = desk.delivery.nextAtMilliseconds, max(now, nextAt) < deadline else {
                    return
                }
                if nextAt > now { usleep(UInt32(nextAt - now) * 1000) }
            }
            if let outgoing = desk.delivery.next(nowMilliseconds: MonotonicClock.nowMilliseconds) {
                send(outgoing, &client, &desk)
            }
        }
    }

    private func send(_ outgoing: Outgoing, _ client: inout HubClient, _ desk: inout ReportDesk) {
        let left = deadlineMilliseconds.load(ordering: .acquiring) - MonotonicClock.nowMilliseconds
        var generator = SystemRandomNumberGenerator()
        let outcome: Delivery.Outcome
        do throws(CurlError) {
            let answer = try client.send(
                outgoing,
                attempt: desk.delivery.attempt,
                timeoutMilliseconds: Int(max(1, min(Int64(HubClient.timeoutMilliseconds), left)))
            )
            outcome = desk.delivery.answered(
                answer,
                nowMilliseconds: MonotonicClock.nowMilliseconds,
                using: &generator
            )
        } catch {
            outcome = desk.delivery.failed(
                reason: error.description,
                nowMilliseconds: MonotonicClock.nowMilliseconds,
                using: &generator
            )
        }
        act(on: outcome, desk)
        if case .registration = outgoing.content, !isChange(outcome) { registrationTried.open() }
    }

    /// Whether the registration goes out again at once.
    private func isChange(_ outcome: Delivery.Outcome) -> Bool {
        if case .changesAttempt = outcome { true } else { false }
    }

    private func act(on outcome: Delivery.Outcome, _ desk: ReportDesk) {
        switch outcome {
        case .delivered(let outgoing, let jobStatus):
            summary.withLock { summary in
                if let jobStatus { summary.jobStatus = jobStatus }
                if case .telemetry = outgoing.content { summary.sentCount += 1 }
            }
            logger.info(outgoing.sentText, metadata: metadata(outgoing, desk))
            if !outgoing.isProgress { saveState(desk.delivery.attempt, desk.lastSeq) }
        case .postponed(let outgoing, let until, let reason):
            summary.withLock { $0.failedTryCount += 1 }
            var metadata = metadata(outgoing, desk)
            metadata["error"] = "\(reason)"
            metadata["retry_ms"] = "\(max(0, until - MonotonicClock.nowMilliseconds))"
            logger.warning("SHA telemetry update failed", metadata: metadata)
        case .registersFirst(let outgoing, let reason):
            var metadata = metadata(outgoing, desk)
            metadata["reason"] = "\(reason)"
            logger.warning("the hub does not know the job, registering again", metadata: metadata)
        case .changesAttempt(let attempt, let reason):
            summary.withLock { $0.attempt = attempt }
            saveState(attempt, desk.lastSeq)
            logger.notice("attempt changed", metadata: ["attempt": "\(attempt)", "reason": "\(reason)"])
        case .dropped(let outgoing, let reason):
            summary.withLock { $0.droppedCount += 1 }
            var metadata = metadata(outgoing, desk)
            metadata["error"] = "\(reason)"
            logger.error("SHA telemetry update failed", metadata: metadata)
        case .jobCancelled(let outgoing):
            summary.withLock { $0.droppedCount += 1 }
            logger.warning("the hub cancelled the job", metadata: metadata(outgoing, desk))
            cancellation.cancel(.cancelledByHub)
        case .jobRefused(let reason):
            summary.withLock { $0.refusal = reason }
            logger.error(
                "the hub refused the job",
                metadata: ["job_id": "\(writer.identity.jobID)", "reason": "\(reason)"]
            )
            cancellation.cancel(.refusedByHub(reason))
        }
    }

    private func finishSummary(_ desk: ReportDesk) {
        let undelivered = desk.delivery.count
        summary.withLock { summary in
            summary.undeliveredCount = undelivered
            summary.lastSeq = desk.lastSeq
        }
        saveState(desk.delivery.attempt, desk.lastSeq)
        if undelivered > 0 {
            logger.error("reports were not delivered", metadata: ["count": "\(undelivered)"])
        }
    }

    private func metadata(_ outgoing: Outgoing, _ desk: ReportDesk) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "job_id": "\(writer.identity.jobID)", "attempt": "\(desk.delivery.attempt)",
        ]
        switch outgoing.content {
        case .registration:
            metadata["message"] = "registration"
        case .completion(let diskIndex, _, _):
            metadata["message"] = "completion"
            metadata["disk"] = "\(diskIndex)"
        case .telemetry(let update):
            metadata["seq"] = "\(update.seq)"
            metadata["status"] = "\(update.status.rawValue)"
            metadata["phase"] = "\(update.progress.phase.name)"
            metadata["percent"] = "\((update.progress.percent * 100).rounded(.down) / 100)"
        }
        return metadata
    }
}

extension Outgoing {
    /// The log's words for a delivered message; the first is the one that operators search for.
    fileprivate var sentText: Logger.Message {
        switch content {
        case .telemetry: "SHA telemetry update sent"
        case .registration: "job registered with the hub"
        case .completion: "disk completion sent"
        }
    }
}
