/// What one message did to a job: the answer for its client, and what has to be stored beside the job.
public struct Effect: Equatable, Sendable {
    /// What the client is told once this is committed.
    public var answer: Answer
    /// The message shows that the client lives.
    public var isContact: Bool
    /// The changes of status, and what is worth keeping beside them, in order.
    public var changes: [StatusChange]
    /// How many of the message's disk entries name disks that the job does not have.
    public var ignoredDiskCount: Int

    /// Creates an effect from its parts.
    public init(
        _ answer: Answer,
        isContact: Bool = false,
        changes: [StatusChange] = [],
        ignoredDiskCount: Int = 0
    ) {
        self.answer = answer
        self.isContact = isContact
        self.changes = changes
        self.ignoredDiskCount = ignoredDiskCount
    }
}

extension Job {
    /// Applies one message to what is stored. Pure: what has to happen at the edge is in the effect.
    ///
    /// - Parameters:
    ///   - message: a message that is valid in itself.
    ///   - job: the job that the message names, nil if none is stored; changed in place.
    /// - Returns: the answer for the client and what to store beside the job.
    public static func apply(_ message: JobMessage, to job: inout Job?) -> Effect {
        guard var stored = job else {
            guard case .registration(let registration) = message else { return unknown(message) }
            let (created, effect) = create(registration)
            job = created
            return effect
        }
        let effect =
            switch message {
            case .report(let report): stored.merge(report)
            case .completion(let completion): stored.merge(completion)
            case .registration(let registration): stored.merge(registration)
            case .cancel(let request): stored.merge(request)
            }
        job = stored
        return effect
    }

    private static func unknown(_ message: JobMessage) -> Effect {
        let fact = "No backup job \(message.jobID) is known"
        if case .cancel = message { return Effect(Answer(.unknownJob, detail: "\(fact).")) }
        return Effect(Answer(.unknownJob, detail: "\(fact); register it first.", command: .register))
    }

    /// The answer that tells where the job stands now.
    func answer(_ verdict: Verdict, _ detail: String = "", command: ClientCommand? = nil) -> Answer {
        Answer(
            verdict,
            jobStatus: status,
            attempt: attempt,
            storedSeq: seq,
            detail: detail,
            command: command
        )
    }

    /// Refuses a message of another attempt than the stored one. nil if the attempt fits.
    func fence(attempt told: Int64) -> Effect? {
        if told < attempt {
            return Effect(
                answer(.conflict, "Attempt \(told) is over: attempt \(attempt) of job \(id) has begun.")
            )
        }
        if told > attempt {
            guard status != .completed else { return Effect(endedAnswer()) }
            return Effect(
                answer(
                    .conflict,
                    "Attempt \(told) of job \(id) is not registered; attempt \(attempt) is stored.",
                    command: .register
                )
            )
        }
        return nil
    }

    /// The answer to a message for a job that has ended.
    func endedAnswer() -> Answer {
        guard status != .cancelled else {
            return answer(.terminal, "Job \(id) was cancelled; stop the copy.", command: .cancel)
        }
        return answer(.terminal, "Job \(id) has ended as \(status.rawValue); nothing was changed.")
    }
}
