import JobModel
import TelemetryContract

/// A telemetry message that waits for its answer.
///
/// One object has all that the answer needs, on the whole way there and back, so that a closure which holds it holds
/// nothing else, and is not allocated.
///
/// Unchecked, and safe: all but the outcome is set once, and sendable. The outcome is written once, before the reply gives the
/// object on to the connection's thread, through a lock or an event loop's queue, and read on that thread only.
final class TelemetryExchange: @unchecked Sendable {
    private let routes: Routes
    private let jobID: JobID
    /// nil: the usual one of the job, which is made only for whoever asks.
    private let path: String?
    private let hasSeq: Bool
    private let reply: DoorReply
    private var outcome = Outcome.kept

    init(_ routes: Routes, _ jobID: JobID, path: String?, hasSeq: Bool, _ reply: DoorReply) {
        self.routes = routes
        self.jobID = jobID
        self.path = path
        self.hasSeq = hasSeq
        self.reply = reply
    }

    /// Takes what became of the message: once, from any thread.
    func take(_ outcome: Outcome) {
        self.outcome = outcome
        reply { self.response(over: $0) }
    }

    private func response(over memory: consuming [UInt8]) -> DoorResponse {
        var body = memory
        return routes.response(
            to: outcome,
            jobID,
            path ?? "\(Routes.backupTelemetry)\(jobID)",
            legacy: false
        ) { answer, now in
            ContractJSON.telemetry(answer, message: message(answer), nowMilliseconds: now, over: &body)
            return body
        }
    }

    /// Old clients are told what they always were; the others, what became of the message.
    private func message(_ answer: Answer) -> StaticString {
        guard hasSeq else { return ContractJSON.telemetryMessage }
        return switch answer.verdict {
        case .repeated: "Telemetry was stored before; nothing changed"
        case .superseded: "Newer telemetry was stored before; nothing but the contact changed"
        default: ContractJSON.telemetryMessage
        }
    }
}
