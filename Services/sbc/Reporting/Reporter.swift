internal import Curl
internal import Glibc
internal import Logging
internal import Synchronization
internal import Threading

/// Reports a job to the hub from a thread of its own. The copy only posts events, which never blocks, and
/// adds to the counters that this reads.
final class Reporter: Sendable {
    struct Settings: Sendable {
        var hub: HubAccess
        /// Where what is not delivered is kept, and was kept by earlier runs. nil: it is not.
        var stateDirectory: String?
        /// The longest time without a message while the hub answers.
        var intervalMilliseconds: Int64 = 5000
        /// How often the counters are looked at.
        var tickMilliseconds = 100
    }

    /// More than one job of the most disks can post, so that `post` never meets a full mailbox.
    static let eventCountMax = 4096
    private static let silentWaitMilliseconds = 2000
    private static let pauseMillisecondsMax = 100

    private let events = Mailbox<ReportEvent>(countMax: Reporter.eventCountMax)
    private let counters: JobCounters
    private let settings: Settings
    private let writer: MessageWriter
    private let cancellation: Cancellation
    private let saveState: @Sendable (_ attempt: Int64, _ lastSeq: Int64) -> Void
    private let logger: Logger
    private let registrationTried = Latch()
    /// All is delivered, or kept: the thread has nothing more to say.
    private let hasEnded = Latch()
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
        _ = DedicatedThread(name: "reporter") { [self] in run(attempt: attempt) }
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
    ///
    /// - Parameters:
    ///   - drainMilliseconds: how long.
    ///   - onWait: called once where it takes more than two seconds.
    /// - Returns: what came of it.
    func finish(drainMilliseconds: Int64, onWait: () -> Void = {}) -> ReportSummary {
        let deadline = MonotonicClock.nowMilliseconds + drainMilliseconds
        // Nothing comes before it but a cut.
        _ = deadlineMilliseconds.min(deadline, ordering: .releasing)
        events.close()
        if !hasEnded.wait(milliseconds: Self.silentWaitMilliseconds) {
            onWait()
            hasEnded.wait()
        }
        return summary.withLock { $0 }
    }

    /// Ends the delivery now; what is not delivered is kept. From any thread.
    func cut() {
        deadlineMilliseconds.store(MonotonicClock.nowMilliseconds, ordering: .releasing)
    }

    // MARK: - On the reporter's thread

    private func run(attempt: Int64) {
        var desk = ReportDesk(
            attempt: attempt,
            intervalMilliseconds: settings.intervalMilliseconds,
            jitterSeed: UInt64.random(in: 0...UInt64.max),
            startedAtMilliseconds: WallClock.nowMilliseconds
        )
        let spool = settings.stateDirectory.map { Spool(stateDirectory: $0) }
        var keeper = SpoolKeeper(spool, writer: writer, logger: logger)
        do throws(CurlError) {
            var client = try HubClient(settings.hub) { [self] in MonotonicClock.nowMilliseconds >= deadline }
            var predecessors = backlog(before: writer.identity)
            loop(&client, &desk, &keeper, &predecessors)
            predecessors?.close()
            note(predecessors)
            finishSummary(desk, &keeper)
            if desk.delivery.count == 0 { deliverOthers(&client) }
            // Before the client goes: libcurl's own clean-up may wait for a name server.
            hasEnded.open()
        } catch {
            logger.error("SHA telemetry is off: libcurl cannot be set up", metadata: ["error": "\(error)"])
            registrationTried.open()
            while let taken = events.takeAll(waitingMilliseconds: settings.tickMilliseconds) {
                for event in taken { desk.note(event, nowMilliseconds: MonotonicClock.nowMilliseconds) }
            }
            finishSummary(desk, &keeper)
            hasEnded.open()
        }
    }

    private func loop(
        _ client: inout HubClient,
        _ desk: inout ReportDesk,
        _ keeper: inout SpoolKeeper,
        _ predecessors: inout Backlog?
    ) {
        while true {
            let wait = waitMilliseconds(predecessors?.nextAtMilliseconds ?? desk.delivery.nextAtMilliseconds)
            let taken = events.takeAll(waitingMilliseconds: wait)
            for event in taken ?? [] {
                desk.note(event, nowMilliseconds: MonotonicClock.nowMilliseconds)
            }
            let now = MonotonicClock.nowMilliseconds
            if taken != nil {
                desk.tick(
                    counters.progress,
                    nowMilliseconds: now,
                    wallMilliseconds: WallClock.nowMilliseconds
                )
            }
            keeper.keep(desk)
            let nextAt = predecessors?.nextAtMilliseconds ?? desk.delivery.nextAtMilliseconds
            if taken == nil {
                // What may only be sent after the deadline is not worth waiting for.
                guard let nextAt, max(now, nextAt) < deadline else { return }
                // In steps: the delivery may be cut meanwhile.
                if nextAt > now { Pause.milliseconds(min(Self.pauseMillisecondsMax, Int(nextAt - now))) }
            }
            guard let nextAt, nextAt <= MonotonicClock.nowMilliseconds else { continue }
            if predecessors?.nextAtMilliseconds != nil {
                predecessors?.step(&client, timeoutMilliseconds: timeoutMilliseconds)
                // The hub has been tried: the copy need not wait longer for it.
                if predecessors?.tally.failedTryCount ?? 0 > 0 { registrationTried.open() }
            } else if let outgoing = desk.delivery.next(nowMilliseconds: MonotonicClock.nowMilliseconds) {
                send(outgoing, &client, &desk, &keeper)
            }
        }
    }

    /// How long nothing is to be done if no event comes.
    private func waitMilliseconds(_ nextAt: Int64?) -> Int {
        guard let nextAt else { return settings.tickMilliseconds }
        let now = MonotonicClock.nowMilliseconds
        return nextAt <= now ? 0 : min(settings.tickMilliseconds, Int(nextAt - now))
    }

    /// The monotonic clock's milliseconds at which sending ends; far away until `finish`.
    private var deadline: Int64 { deadlineMilliseconds.load(ordering: .acquiring) }

    private var timeoutMilliseconds: Int {
        Int(max(1, min(Int64(HubClient.timeoutMilliseconds), deadline - MonotonicClock.nowMilliseconds)))
    }

    /// What earlier runs left, of one job or of all. nil where nothing is kept or can be read.
    private func backlog(before job: JobIdentity?) -> Backlog? {
        guard let stateDirectory = settings.stateDirectory else { return nil }
        do throws(StateError) {
            return try Backlog(stateDirectory: stateDirectory, before: job, logger: logger)
        } catch {
            logger.warning("the spool cannot be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// The hub has all of this run: what others left is delivered in the time that remains.
    private func deliverOthers(_ client: inout HubClient) {
        var others = backlog(before: nil)
        others?.deliver(&client) { deadline }
        note(others)
    }

    private func note(_ backlog: Backlog?) {
        guard let tally = backlog?.tally else { return }
        summary.withLock { $0.backlog.add(tally) }
    }

    private func send(
        _ outgoing: Outgoing,
        _ client: inout HubClient,
        _ desk: inout ReportDesk,
        _ keeper: inout SpoolKeeper
    ) {
        let outcome = client.send(
            outgoing,
            writer,
            of: &desk.delivery,
            timeoutMilliseconds: timeoutMilliseconds
        )
        if case .dropped(let message, let reason) = outcome { keeper.refused(message, reason) }
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
            logger.info(
                outgoing.sentText,
                metadata: outgoing.metadata(jobID: writer.identity.jobID, attempt: desk.delivery.attempt)
            )
            if !outgoing.isProgress { saveState(desk.delivery.attempt, desk.lastSeq) }
        case .postponed(let outgoing, let until, let reason):
            summary.withLock { summary in
                summary.failedTryCount += 1
                summary.lastFailure = reason
            }
            var metadata = outgoing.metadata(jobID: writer.identity.jobID, attempt: desk.delivery.attempt)
            metadata["error"] = "\(reason)"
            metadata["retry_ms"] = "\(max(0, until - MonotonicClock.nowMilliseconds))"
            logger.warning("SHA telemetry update failed", metadata: metadata)
        case .registersFirst(let outgoing, let reason):
            var metadata = outgoing.metadata(jobID: writer.identity.jobID, attempt: desk.delivery.attempt)
            metadata["reason"] = "\(reason)"
            logger.warning("the hub does not know the job, registering again", metadata: metadata)
        case .changesAttempt(let attempt, let reason):
            summary.withLock { $0.attempt = attempt }
            saveState(attempt, desk.lastSeq)
            logger.notice("attempt changed", metadata: ["attempt": "\(attempt)", "reason": "\(reason)"])
        case .dropped(let outgoing, let reason):
            summary.withLock { $0.droppedCount += 1 }
            var metadata = outgoing.metadata(jobID: writer.identity.jobID, attempt: desk.delivery.attempt)
            metadata["error"] = "\(reason)"
            logger.error("SHA telemetry update failed", metadata: metadata)
        case .jobCancelled(let outgoing):
            summary.withLock { $0.droppedCount += 1 }
            logger.warning(
                "the hub cancelled the job",
                metadata: outgoing.metadata(jobID: writer.identity.jobID, attempt: desk.delivery.attempt)
            )
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

    private func finishSummary(_ desk: ReportDesk, _ keeper: inout SpoolKeeper) {
        let spooledCount = keeper.close(desk)
        let refused = keeper.setAside(desk)
        let undelivered = desk.delivery.count
        summary.withLock { summary in
            summary.undeliveredCount = undelivered
            summary.spooledCount = spooledCount
            summary.refusedCount = refused.count
            summary.refusedFolder = refused.folder
            summary.lastSeq = desk.lastSeq
        }
        saveState(desk.delivery.attempt, desk.lastSeq)
        if spooledCount > 0 {
            logger.warning("reports wait in the spool", metadata: ["count": "\(spooledCount)"])
        }
        if undelivered > spooledCount {
            logger.error("reports are lost", metadata: ["count": "\(undelivered - spooledCount)"])
        }
    }
}
