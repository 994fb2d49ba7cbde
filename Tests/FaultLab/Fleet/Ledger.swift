import StackSupport
import Synchronization
import TestSupport

/// What one job's client sent, and what it was told: what the rows are judged by.
final class Ledger: Sendable {
    /// What became of a request, as its client knows it.
    enum Fate: Equatable, Sendable {
        /// 200 or 201: committed.
        case taken
        /// 202: on the ingest's disk.
        case kept
        /// 503 or no answer, and never repeated: it may be stored or not.
        case unknown
        /// Any other status, with its body.
        case refused(Int, String)
    }

    struct Entry: Sendable {
        var request: ClientRequest
        var fate: Fate
        /// When its fate was known, in milliseconds since 1970 UTC.
        var at: Int64
        /// Which of several hubs answered it, or was to. nil where that is of no interest.
        var hub: Int?
    }

    /// A stretch of time, in milliseconds since 1970 UTC, in which the client spoke at least every 300 ms.
    struct Stretch: Sendable {
        var begin: Int64
        var end: Int64
    }

    private struct State {
        var entries: [Entry] = []
        var tries: [Stretch] = []
        var tryCount = 0
        /// When its client died without a word.
        var died: Int64?
    }

    private static let gapMilliseconds: Int64 = 300

    let job: String
    /// A client with `seq` repeats a request until it is acknowledged; an old one never does.
    let isNew: Bool
    private let state = Mutex(State())

    init(job: String, isNew: Bool) {
        self.job = job
        self.isNew = isNew
    }

    /// The requests in the order in which they were sent, each once.
    var entries: [Entry] { state.withLock { $0.entries } }

    var tries: [Stretch] { state.withLock { $0.tries } }

    var died: Int64? { state.withLock { $0.died } }

    /// The requests that were answered 200, 201 or 202.
    var acknowledgedCount: Int {
        state.withLock { $0.entries.count { $0.fate == .taken || $0.fate == .kept } }
    }

    /// Notes a request and what became of it.
    func note(_ request: ClientRequest, _ fate: Fate, hub: Int? = nil) {
        let entry = Entry(request: request, fate: fate, at: LabClock.now, hub: hub)
        state.withLock { $0.entries.append(entry) }
    }

    /// An old client went on to another hub while the one before may still have kept messages of its: across hubs their
    /// order is not promised.
    var hasLeftKept: Bool {
        guard !isNew else { return false }
        var keepers: Set<Int> = []
        for entry in entries {
            guard let hub = entry.hub else { continue }
            if keepers.contains(where: { $0 != hub }) { return true }
            if entry.fate == .kept { keepers.insert(hub) }
        }
        return false
    }

    /// Notes that the client spoke, or tried to, for so long.
    func noteTry(from begin: Int64, to end: Int64) {
        state.withLock { state in
            state.tryCount += 1
            guard let last = state.tries.last, begin - last.end <= Self.gapMilliseconds else {
                return state.tries.append(Stretch(begin: begin, end: end))
            }
            state.tries[state.tries.count - 1].end = max(last.end, end)
        }
    }

    /// All of it, for a failure: a line for each request.
    var text: String {
        entries.map {
            "\($0.at) \($0.fate) \($0.hub.map { "hub \($0 + 1) " } ?? "")\($0.request.path) \($0.request.body)\n"
        }.joined()
    }

    /// Notes that the client is no more.
    func noteDeath(at time: Int64) { state.withLock { $0.died = time } }
}
