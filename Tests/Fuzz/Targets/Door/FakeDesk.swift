import JobModel
import Synchronization

@testable import Ingest

/// Stands where the publisher does, and keeps the account of requests. Only the event loop's thread is at
/// it; the lock is for the compiler.
final class FakeDesk: Sendable {
    private struct State {
        var pace = DoorScript.Pace.atOnce
        var verdict = Verdict.applied
        var requests: [SeenRequest] = []
        /// How many of them, or of those that nobody has seen, were handed on.
        var servedCount = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    var pace: DoorScript.Pace {
        get { state.withLock { $0.pace } }
        set { state.withLock { $0.pace = newValue } }
    }

    var verdict: Verdict {
        get { state.withLock { $0.verdict } }
        set { state.withLock { $0.verdict = newValue } }
    }

    var requests: [SeenRequest] { state.withLock { $0.requests } }

    func see(_ request: SeenRequest) { state.withLock { $0.requests.append(request) } }

    func change(_ body: (inout SeenRequest) -> Void) {
        state.withLock { body(&$0.requests[$0.requests.count - 1]) }
    }

    /// The door hands a request on: it has to be the next of those that were seen.
    ///
    /// - Returns: the request's number.
    func serve(_ request: DoorRequest) -> Int {
        state.withLock { state in
            let number = state.servedCount
            state.servedCount += 1
            // One that nobody has seen is told at the end, by its number.
            guard state.requests.indices.contains(number) else { return number }
            let seen = state.requests[number]
            state.requests[number].servedCount += 1
            state.requests[number].isDistorted =
                request.method != seen.method || Array(request.body) != seen.body
                || request.path != seen.target.prefix { $0 != "?" }
            return number
        }
    }

    /// How many requests were handed on.
    var servedCount: Int { state.withLock { $0.servedCount } }

    func isReplied(_ number: Int) {
        state.withLock { state in
            if state.requests.indices.contains(number) { state.requests[number].isReplied = true }
        }
    }

    func publish(_ message: JobMessage, _ reply: @escaping @Sendable (Answer) -> Void) {
        let answer = Answer(
            verdict,
            jobStatus: .running,
            attempt: 1,
            storedSeq: 3,
            detail: "job \(message.jobID)",
            problems: [Problem(pointer: "/vm_name", detail: "\(message.jobID)")]
        )
        switch pace {
        case .atOnce: reply(answer)
        case .late: state.withLock { $0.waiting.append { reply(answer) } }
        case .never: break
        }
    }

    func answerOldest() {
        let oldest = state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
        oldest?()
    }

    /// Those that still wait are never answered; their replies know the desk, which would keep both for
    /// ever.
    func forget() { state.withLock { $0.waiting = [] } }
}
