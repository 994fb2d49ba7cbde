import JobModel

/// What became of a message.
enum Outcome: Sendable, Equatable {
    /// A writer has answered, or nobody can.
    case answered(Answer)
    /// It is on this machine's disk, and goes on to a writer once one stores again.
    case kept
}

/// Brings a message to a writer; one that its client will not tell again waits in the outbox where none can store it.
struct Courier: Sendable {
    /// Where messages wait.
    struct Shelf: Sendable {
        /// Whether something of the job waits there.
        var holds: @Sendable (JobID) -> Bool
        /// Takes in a message that was received at that time; the reply says whether it is on the disk.
        var accept: @Sendable (JobMessage, Int64, @escaping @Sendable (Bool) -> Void) -> Void
    }

    /// Sends one message to a writer, and tells the answer: never `kept`.
    let publish: @Sendable (JobMessage, @escaping @Sendable (Outcome) -> Void) -> Void
    /// nil: messages wait nowhere.
    let shelf: Shelf?
    /// Hears of a message that was turned away though its client will not repeat it.
    let refused: @Sendable (JobID) -> Void

    /// Brings one message, received now. The reply comes once, from any thread.
    func bring(
        _ message: JobMessage,
        nowMilliseconds: @autoclosure () -> Int64,
        reply: @escaping @Sendable (Outcome) -> Void
    ) {
        guard let shelf, message.isToldOnce else {
            // As it is: a closure around it would be allocated for each message.
            return publish(message, reply)
        }
        let receivedMilliseconds = nowMilliseconds()
        let keep: @Sendable (Answer) -> Void = { answer in
            shelf.accept(message, receivedMilliseconds) { isKept in
                if !isKept { refused(message.jobID) }
                reply(isKept ? .kept : .answered(answer))
            }
        }
        // A job's messages keep their order: what comes now waits behind what waits.
        guard !shelf.holds(message.jobID) else {
            return keep(Answer(.unavailable, detail: "The outbox cannot take it now; try again."))
        }
        publish(message) { outcome in
            guard case .answered(let answer) = outcome else { return reply(outcome) }
            switch answer.verdict {
            case .unavailable, .held: keep(answer)
            case .applied, .created, .repeated, .superseded, .unknownJob, .unknownDisk, .terminal, .conflict,
                .rejected:
                reply(outcome)
            }
        }
    }
}
