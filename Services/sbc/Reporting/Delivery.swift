/// What is to be sent, in which order, and what an answer means for it. Pure: it does no I/O and has no
/// clock.
///
/// Transitions leave in the order in which they came. Of progress only the newest is kept, since it says
/// all that the older ones said. The message at the head is in flight until `answered` or `failed`.
struct Delivery {
    /// What came of the message in flight.
    enum Outcome: Equatable, Sendable {
        /// The hub has it, now or from before.
        case delivered(Outgoing, jobStatus: String?)
        /// It stays, and may be sent again at this time.
        case postponed(Outgoing, untilMilliseconds: Int64, reason: String)
        /// The job is registered first, then it is sent again.
        case registersFirst(Outgoing, reason: String)
        /// The registration is sent again under this attempt.
        case changesAttempt(Int64, reason: String)
        /// The hub will never take it.
        case dropped(Outgoing, reason: String)
        /// The job is cancelled on the hub; the copy has to stop.
        case jobCancelled(Outgoing)
        /// The hub will not have this job: nothing more is sent, and the copy has to stop.
        case jobRefused(reason: String)
    }

    /// Which run of the job this is.
    private(set) var attempt: Int64
    private var queue: [Outgoing] = []
    private var backoff = Backoff()
    private var notBeforeMilliseconds = Int64.min
    /// Until when the hub has asked not to be asked again.
    private var askedUntilMilliseconds = Int64.min
    /// The newest `seq` that may have reached the hub.
    private(set) var seqSentMax: Int64 = 0
    /// Messages other than progress that were ever added.
    private(set) var transitionCount = 0
    /// Whether the last try failed.
    private(set) var isInTrouble = false
    private let mayChangeAttempt: Bool
    /// When the job began, in milliseconds since 1970 UTC. nil: it is the present.
    private let startedAtMilliseconds: Int64?
    private var hasPassedRepeat = false
    private var hasPassedConflict = false
    private var canRegister = true
    /// Nobody who knows has answered the registration.
    private var isRegistrationOpen = false
    private var isRefused = false
    private var isCompletedOnHub = false

    init(attempt: Int64, startedAtMilliseconds: Int64? = nil) {
        self.attempt = attempt
        self.startedAtMilliseconds = startedAtMilliseconds
        mayChangeAttempt = true
    }

    /// Takes up what another run left.
    ///
    /// - Parameters:
    ///   - report: its messages, attempt and `seq`.
    ///   - mayChangeAttempt: whether that was the job's newest run. Of an older one a higher attempt must not
    ///     be made: it would fence the newer.
    init(_ report: SpooledReport, mayChangeAttempt: Bool) {
        attempt = report.attempt
        startedAtMilliseconds = report.startedAtMilliseconds
        self.mayChangeAttempt = mayChangeAttempt
        queue = report.messages
        seqSentMax = report.seqSentMax
    }

    /// Messages not delivered yet.
    var count: Int { queue.count }

    /// They themselves, in order.
    var messages: [Outgoing] { queue }

    /// Adds a message behind the others; it replaces a progress that still waits. Once the hub has refused
    /// the job, nothing is added: the row there is another run's.
    mutating func add(_ outgoing: Outgoing) {
        guard !isRefused else { return }
        if isCompletedOnHub, outgoing.saysJobCompleted { return }
        if queue.last?.isProgress == true { queue.removeLast() }
        queue.append(outgoing)
        if !outgoing.isProgress { transitionCount += 1 }
        if outgoing.isUrgent { notBeforeMilliseconds = min(notBeforeMilliseconds, askedUntilMilliseconds) }
    }

    /// The message to send now. nil if there is none, or not yet.
    func next(nowMilliseconds: Int64) -> Outgoing? {
        nowMilliseconds >= notBeforeMilliseconds ? queue.first : nil
    }

    /// When the message at the head may be sent. nil if there is none.
    var nextAtMilliseconds: Int64? { queue.isEmpty ? nil : notBeforeMilliseconds }

    /// The message in flight got no answer.
    mutating func failed(
        reason: String,
        nowMilliseconds: Int64,
        using generator: inout some RandomNumberGenerator
    ) -> Outcome {
        noteSent()
        return postpone(
            retryAfterSeconds: nil,
            reason: reason,
            nowMilliseconds: nowMilliseconds,
            using: &generator
        )
    }

    /// The message in flight was answered.
    mutating func answered(
        _ answer: HubAnswer,
        nowMilliseconds: Int64,
        using generator: inout some RandomNumberGenerator
    ) -> Outcome {
        let outgoing = queue[0]
        let sentBefore = seqSentMax
        noteSent()
        if answer.isWorthRetrying {
            if outgoing.content == .registration, !answer.isTroubleOfHub {
                return skipRegistration(reason(answer), nowMilliseconds: nowMilliseconds, using: &generator)
            }
            return postpone(
                retryAfterSeconds: answer.retryAfterSeconds,
                reason: reason(answer),
                nowMilliseconds: nowMilliseconds,
                using: &generator
            )
        }
        backoff.reset()
        isInTrouble = false
        switch outgoing.content {
        case .registration:
            return answeredRegistration(answer, seqSent: sentBefore)
        case .telemetry(let update):
            return answeredUpdate(answer, outgoing, status: update.status)
        case .completion:
            return answeredUpdate(answer, outgoing, status: .completed)
        }
    }

    private mutating func answeredRegistration(_ answer: HubAnswer, seqSent: Int64) -> Outcome {
        if answer.isSuccess {
            // More is stored than this run has sent: it is an earlier run's, whose end we have lost.
            let known = max(attempt, answer.attempt ?? attempt)
            if let storedSeq = answer.storedSeq, storedSeq > seqSent, mayChangeAttempt,
                !hasPassedRepeat, known < Int64.max
            {
                hasPassedRepeat = true
                return change(
                    to: known + 1,
                    reason: "the hub knows this attempt from an earlier run (stored_seq \(storedSeq))"
                )
            }
            return .delivered(queue.removeFirst(), jobStatus: answer.jobStatus)
        }
        if answer.status == 409 {
            if answer.jobStatus == ReportedStatus.completed.rawValue {
                return refuse("the job is already completed on the hub; use another --job-id")
            }
            // No answer may end the backup, not even one that leaves no attempt above it.
            if let stored = answer.attempt, stored > attempt, stored < Int64.max, mayChangeAttempt,
                !hasPassedConflict
            {
                hasPassedConflict = true
                return change(to: stored + 1, reason: "the hub already knows attempt \(stored)")
            }
            return refuse(
                "the hub has this job with other content (\(reason(answer))); use another --job-id, or a "
                    + "higher --attempt"
            )
        }
        // A hub without this route, or one that wants other columns: it is asked again only if it says so itself.
        canRegister = false
        return .dropped(queue.removeFirst(), reason: reason(answer))
    }

    /// A balancer or an old hub without this route has answered: updates go on, and the hub's answers to them will tell
    /// whether the job is to be registered.
    private mutating func skipRegistration(
        _ reason: String,
        nowMilliseconds: Int64,
        using generator: inout some RandomNumberGenerator
    ) -> Outcome {
        isRegistrationOpen = true
        let outcome = postpone(
            retryAfterSeconds: nil,
            reason: reason,
            nowMilliseconds: nowMilliseconds,
            using: &generator
        )
        queue.removeFirst()
        return outcome
    }

    private mutating func answeredUpdate(
        _ answer: HubAnswer,
        _ outgoing: Outgoing,
        status: ReportedStatus
    ) -> Outcome {
        if answer.command == .cancel, status != .cancelled {
            return .jobCancelled(queue.removeFirst())
        }
        if answer.isSuccess {
            let delivered = queue.removeFirst()
            if answer.jobStatus == ReportedStatus.completed.rawValue {
                // The last disk's completion ended the job; saying so once more would only be refused.
                isCompletedOnHub = true
                queue.removeAll(where: \.saysJobCompleted)
            }
            return .delivered(delivered, jobStatus: answer.jobStatus)
        }
        let isAsked = answer.command == .register && (answer.status == 404 || answer.status == 409)
        let isUnregistered = isAsked || (answer.status == 404 && canRegister)
        if isUnregistered, isRegistrationOpen || !outgoing.hasRegisteredAgain {
            isRegistrationOpen = false
            queue[0].hasRegisteredAgain = true
            queue.insert(Outgoing(content: .registration, atMilliseconds: startedAtMilliseconds), at: 0)
            return .registersFirst(outgoing, reason: reason(answer))
        }
        // The job ended with exactly this: the hub has it already.
        if answer.status == 409, answer.jobStatus == status.rawValue {
            return .delivered(queue.removeFirst(), jobStatus: answer.jobStatus)
        }
        return .dropped(queue.removeFirst(), reason: reason(answer))
    }

    private mutating func postpone(
        retryAfterSeconds: Int?,
        reason: String,
        nowMilliseconds: Int64,
        using generator: inout some RandomNumberGenerator
    ) -> Outcome {
        let delay = backoff.next(retryAfterSeconds: retryAfterSeconds, using: &generator)
        notBeforeMilliseconds = nowMilliseconds + delay
        askedUntilMilliseconds = nowMilliseconds + Backoff.milliseconds(retryAfterSeconds: retryAfterSeconds)
        isInTrouble = true
        return .postponed(queue[0], untilMilliseconds: notBeforeMilliseconds, reason: reason)
    }

    private mutating func change(to newAttempt: Int64, reason: String) -> Outcome {
        attempt = newAttempt
        return .changesAttempt(newAttempt, reason: reason)
    }

    private mutating func refuse(_ reason: String) -> Outcome {
        queue = []
        isRefused = true
        return .jobRefused(reason: reason)
    }

    /// Whether answered or not, the hub may have stored what was in flight.
    private mutating func noteSent() {
        if case .telemetry(let update) = queue[0].content { seqSentMax = max(seqSentMax, update.seq) }
    }

    private func reason(_ answer: HubAnswer) -> String {
        answer.words
    }
}
