internal import Curl
internal import Logging
internal import Threading

/// What came of delivering spooled reports.
struct BacklogTally: Equatable, Sendable {
    /// Reports of which the hub has everything now.
    var deliveredCount = 0
    /// Reports of which the hub refused something for good; they were set aside.
    var refusedCount = 0
    /// Files that could not be read, set aside as they are.
    var damagedCount = 0
    /// Reports that stay: not delivered yet, or another process is at that job.
    var leftCount = 0
    /// Messages that the hub took.
    var sentCount = 0
    /// Tries that got no answer, or one that asked to come again.
    var failedTryCount = 0
    /// The words of the last failed try.
    var lastFailure: String?

    mutating func add(_ other: BacklogTally) {
        deliveredCount += other.deliveredCount
        refusedCount += other.refusedCount
        damagedCount += other.damagedCount
        leftCount += other.leftCount
        sentCount += other.sentCount
        failedTryCount += other.failedTryCount
        lastFailure = other.lastFailure ?? lastFailure
    }
}

/// Delivers what earlier runs left in the spool: report by report, each job's in their order, message by
/// message. Blocks, and belongs to one thread.
struct Backlog {
    /// A report under way.
    private struct Work {
        var claim: Spool.Claim
        var report: SpooledReport
        var delivery: Delivery
        var writer: MessageWriter
        /// The hub has taken or refused some of it since the file was written.
        var isChanged = false

        /// The report as it stands now.
        var left: SpooledReport {
            var left = report
            left.attempt = delivery.attempt
            left.seqSentMax = delivery.seqSentMax
            left.messages = delivery.messages
            return left
        }
    }

    static let busyWaitMilliseconds: Int64 = 500
    private static let pauseMillisecondsMax = 100

    private let spool: Spool
    private let stateDirectory: String
    private let logger: Logger
    /// They precede a run under way, which waits for them and has the newest attempt.
    private let isBeforeRun: Bool
    private var entries: [Spool.Entry]
    private var work: Work?
    private var notBeforeMilliseconds = Int64.min
    private(set) var tally = BacklogTally()

    /// Looks what there is; what comes later is not in it.
    ///
    /// - Parameters:
    ///   - stateDirectory: where spool and attempts are.
    ///   - job: only this job's reports, which precede a run of it that is about to report. nil: all.
    ///   - logger: hears of every message.
    /// - Throws: `StateError` where the spool is there and cannot be read.
    init(stateDirectory: String, before job: JobIdentity? = nil, logger: Logger) throws(StateError) {
        spool = Spool(stateDirectory: stateDirectory)
        self.stateDirectory = stateDirectory
        self.logger = logger
        isBeforeRun = job != nil
        let all = try spool.entries()
        let name = job.map { Spool.jobName($0.jobID) }
        entries = name == nil ? all : all.filter { $0.job == name ?? "" }
    }

    /// When there is something to do next. nil: nothing is left.
    var nextAtMilliseconds: Int64? {
        guard work != nil || !entries.isEmpty else { return nil }
        return max(notBeforeMilliseconds, work?.delivery.nextAtMilliseconds ?? Int64.min)
    }

    /// Delivers all that can be delivered until a time on the monotonic clock, which is asked for anew each time.
    mutating func deliver(_ client: inout HubClient, untilMilliseconds: () -> Int64) {
        while let nextAt = nextAtMilliseconds {
            let now = MonotonicClock.nowMilliseconds
            let deadline = untilMilliseconds()
            guard max(now, nextAt) < deadline else { break }
            guard nextAt <= now else {
                Pause.milliseconds(min(Self.pauseMillisecondsMax, Int(nextAt - now)))
                continue
            }
            step(&client, timeoutMilliseconds: Int(max(1, deadline - MonotonicClock.nowMilliseconds)))
        }
        close()
    }

    /// Sends one message, or takes up the next report.
    mutating func step(_ client: inout HubClient, timeoutMilliseconds: Int) {
        if work == nil { work = takeNext() }
        guard var work else { return }
        // While it is changed it has one owner.
        self.work = nil
        if let outgoing = work.delivery.next(nowMilliseconds: MonotonicClock.nowMilliseconds) {
            send(outgoing, &work, &client, timeoutMilliseconds: timeoutMilliseconds)
        }
        if work.delivery.count == 0 { finish(work) } else { self.work = work }
    }

    /// Keeps what is left of a report under way, and counts what was not begun.
    mutating func close() {
        tally.leftCount += entries.count
        entries = []
        guard let work else { return }
        self.work = nil
        tally.leftCount += 1
        guard work.isChanged else { return }
        do throws(StateError) {
            _ = try spool.rewrite(work.claim, with: work.left)
        } catch {
            logger.warning("delivered messages stay in the spool", metadata: ["error": "\(error)"])
        }
    }

    // MARK: - Reports

    private mutating func takeNext() -> Work? {
        while let entry = entries.first {
            do throws(StateError) {
                switch try spool.claim(entry) {
                case .gone:
                    entries.removeFirst()
                case .busy where isBeforeRun:
                    notBeforeMilliseconds = MonotonicClock.nowMilliseconds + Self.busyWaitMilliseconds
                    return nil
                case .busy:
                    leave(entry.job)
                case .claimed(let claim):
                    entries.removeFirst()
                    if let report = spool.report(claim) { return begin(claim, report) }
                    try spool.setAsideDamaged(claim)
                    tally.damagedCount += 1
                    logger.error("a damaged report was set aside", metadata: ["file": "\(entry.name)"])
                }
            } catch {
                logger.error("a spooled report cannot be had", metadata: ["error": "\(error)"])
                leave(entry.job)
            }
        }
        return nil
    }

    /// Leaves a job's reports for another time: later ones must not overtake the first.
    private mutating func leave(_ job: Substring) {
        let count = entries.count
        entries.removeAll { $0.job == job }
        tally.leftCount += count - entries.count
    }

    private func begin(_ claim: Spool.Claim, _ report: SpooledReport) -> Work {
        let newest =
            AttemptStore(directory: stateDirectory, jobID: report.identity.jobID).load()?.attempt ?? 0
        return Work(
            claim: claim,
            report: report,
            delivery: Delivery(report, mayChangeAttempt: !isBeforeRun && newest <= report.attempt),
            writer: MessageWriter(identity: report.identity, totals: report.totals)
        )
    }

    private mutating func finish(_ work: Work) {
        do throws(StateError) {
            if work.report.refusals.isEmpty {
                try spool.remove(work.claim)
                tally.deliveredCount += 1
            } else {
                try spool.setAside(work.claim, work.left)
                tally.refusedCount += 1
                logger.error(
                    "the hub refused what was spooled; it was set aside",
                    metadata: [
                        "job_id": "\(work.report.identity.jobID)",
                        "file": "\(spool.refusedDirectory)/\(work.claim.entry.name)",
                        "reason": "\(work.report.refusals[0].reason)",
                    ]
                )
            }
        } catch {
            tally.leftCount += 1
            logger.error("the spool cannot be changed", metadata: ["error": "\(error)"])
        }
    }

    // MARK: - Messages

    private mutating func send(
        _ outgoing: Outgoing,
        _ work: inout Work,
        _ client: inout HubClient,
        timeoutMilliseconds: Int
    ) {
        let before = work.delivery.messages
        let outcome = client.send(
            outgoing,
            work.writer,
            of: &work.delivery,
            timeoutMilliseconds: min(HubClient.timeoutMilliseconds, timeoutMilliseconds)
        )
        note(outcome, before, &work)
    }

    private mutating func note(_ outcome: Delivery.Outcome, _ before: [Outgoing], _ work: inout Work) {
        let jobID = work.report.identity.jobID
        var metadata = before[0].metadata(jobID: jobID, attempt: work.delivery.attempt)
        switch outcome {
        case .delivered(let outgoing, _):
            tally.sentCount += 1
            work.isChanged = true
            metadata["spooled"] = "true"
            logger.info(outgoing.sentText, metadata: metadata)
        case .postponed(_, _, let reason):
            tally.failedTryCount += 1
            tally.lastFailure = reason
            metadata["error"] = "\(reason)"
            logger.warning("SHA telemetry update failed", metadata: metadata)
        case .registersFirst(_, let reason):
            metadata["reason"] = "\(reason)"
            logger.warning("the hub does not know the job, registering again", metadata: metadata)
        case .changesAttempt(let attempt, let reason):
            work.isChanged = true
            logger.notice(
                "attempt changed",
                metadata: ["job_id": "\(jobID)", "attempt": "\(attempt)", "reason": "\(reason)"]
            )
            remember(attempt, work)
        case .dropped(let outgoing, let reason):
            refuse([outgoing], reason, &work)
        case .jobCancelled(let outgoing):
            refuse([outgoing], "the job was cancelled on the hub", &work)
        case .jobRefused(let reason):
            refuse(before, reason, &work)
        }
    }

    /// A refused registration alone is no loss: what follows tells whether the hub knows the job.
    private func refuse(_ messages: [Outgoing], _ reason: String, _ work: inout Work) {
        work.isChanged = true
        for message in messages where message.content != .registration {
            work.report.refusals.append(SpooledReport.Refusal(message: message, reason: reason))
        }
    }

    private func remember(_ attempt: Int64, _ work: Work) {
        let store = AttemptStore(directory: stateDirectory, jobID: work.report.identity.jobID)
        do throws(StateError) {
            try store.save(AttemptRecord(attempt: attempt, lastSeq: work.delivery.seqSentMax))
        } catch {
            logger.warning("the state cannot be kept", metadata: ["error": "\(error)"])
        }
    }
}
