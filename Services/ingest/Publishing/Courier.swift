import JobModel
import Threading

/// What became of a message.
enum Outcome: Sendable, Equatable {
    /// A writer has answered, or nobody can.
    case answered(Answer)
    /// It is on this machine's disk, and goes on to a writer once one stores again.
    case kept
}

/// Brings a message to a writer; one that its client will not tell again waits in the outbox where none can store it.
struct Courier: Sendable {
    /// Sends one message to a writer.
    let publisher: Publisher
    /// Where messages wait. nil: nowhere.
    let outbox: Outbox?
    /// Hears of a message that was turned away though its client will not repeat it.
    let refused: @Sendable (JobID) -> Void

    /// Brings one message. The reply comes once, from any thread.
    func bring(_ message: JobMessage, reply: @escaping @Sendable (Outcome) -> Void) {
        guard let outbox, message.isToldOnce else {
            return publisher.publish(message) { reply(.answered($0)) }
        }
        let receivedMilliseconds = MonotonicClock.nowMilliseconds
        let keep: @Sendable (Answer) -> Void = { answer in
            outbox.accept(message, receivedMilliseconds: receivedMilliseconds) { isKept in
                if !isKept { refused(message.jobID) }
                reply(isKept ? .kept : .answered(answer))
            }
        }
        // A job's messages keep their order: what comes now waits behind what waits.
        guard !outbox.holds(message.jobID) else {
            return keep(Answer(.unavailable, detail: "The outbox cannot take it now; try again."))
        }
        publisher.publish(message) { answer in
            switch answer.verdict {
            case .unavailable, .held: keep(answer)
            case .applied, .created, .repeated, .superseded, .unknownJob, .unknownDisk, .terminal, .conflict,
                .rejected:
                reply(.answered(answer))
            }
        }
    }
}
