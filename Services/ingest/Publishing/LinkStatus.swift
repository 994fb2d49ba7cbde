import Synchronization

/// What is known of one writer; written by its link, read by all.
final class LinkStatus: Sendable {
    private struct State {
        var isHeard = false
        var lastStoredMilliseconds: Int64?
        var detail = ""
    }

    /// The writer's ZeroMQ endpoint.
    let endpoint: String
    private let timeoutMilliseconds: Int64
    private let state = Mutex(State())

    init(endpoint: String, timeoutMilliseconds: Int64) {
        self.endpoint = endpoint
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// The writer answers, whatever it says.
    var isHeard: Bool {
        get { state.withLock { $0.isHeard } }
        set { state.withLock { $0.isHeard = newValue } }
    }

    /// Why it stores nothing, as it said itself.
    var detail: String { state.withLock { $0.detail } }

    /// The writer has answered a beat.
    func beat(isStored: Bool, detail: String, nowMilliseconds: Int64) {
        state.withLock { state in
            if isStored {
                state.lastStoredMilliseconds = nowMilliseconds
                state.detail = ""
            } else {
                state.lastStoredMilliseconds = state.lastStoredMilliseconds.map { _ in .min / 2 }
                state.detail = detail
            }
        }
    }

    /// The writer has stored a beat lately.
    func isStoring(nowMilliseconds: Int64) -> Bool {
        state.withLock { state in
            guard let last = state.lastStoredMilliseconds else { return false }
            return nowMilliseconds - last < timeoutMilliseconds + 1000
        }
    }

    /// The writer has stored beats once.
    var hasStored: Bool { state.withLock { $0.lastStoredMilliseconds != nil } }
}
