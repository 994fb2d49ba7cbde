import Database
import StackSupport
import TestSupport

/// Judges the stale-detector's marks by when clients spoke, or tried to, and by when the path was down.
struct MarkJudge {
    /// What a mark may be early by: clocks are read in whole milliseconds, in another process.
    private static let toleranceMilliseconds: Int64 = 250

    /// What an outage may be shorter by in the detector's eyes: the path carries beats some time before all
    /// of it says that it is ready.
    private static let readinessMilliseconds: Int64 = 1000

    let stalledAfterMilliseconds: Int64
    let failedAfterMilliseconds: Int64
    /// When our own path was down, each time for so long that silence has to leave it out: interruptions of
    /// less than half the shorter threshold are within what it allows for.
    private let outages: [Ledger.Stretch]
    /// The others.
    private let interruptions: [Ledger.Stretch]

    init(stalledAfterSeconds: Int, failedAfterSeconds: Int, outages: [Ledger.Stretch]) {
        stalledAfterMilliseconds = Int64(stalledAfterSeconds) * 1000
        failedAfterMilliseconds = Int64(failedAfterSeconds) * 1000
        let shortest = min(15_000, stalledAfterMilliseconds / 2)
        self.outages = outages.filter { $0.end - $0.begin > shortest }
        interruptions = outages.filter { $0.end - $0.begin <= shortest }
    }

    /// What is wrong with a mark. nil if it is right.
    func fault(_ mark: StoredJob.Event, _ ledger: Ledger) -> String? {
        guard Self.isWatched(ledger) else { return "\(mark.text) though it never reported" }
        let threshold = threshold(mark)
        let before = ledger.tries.filter { $0.begin < mark.at }
        guard var last = before.map({ min($0.end, mark.at) }).max() else {
            return "\(mark.text) before it began"
        }
        // A client whose last words fell into an interruption is heard of last before that.
        let isLiving = ledger.tries.contains { $0.end > mark.at - Self.toleranceMilliseconds }
        if !isLiving, let gap = interruptions.first(where: { $0.begin <= last && last <= $0.end + 500 }) {
            last = gap.begin - Self.toleranceMilliseconds
        }
        let silence = mark.at - last
        guard silence >= threshold - Self.toleranceMilliseconds else {
            return
                "\(mark.text) \(silence) ms after its client spoke or tried to; allowed from \(threshold) ms"
        }
        let credit = outages.reduce(0) { $0 + max(0, min($1.end, mark.at) - max($1.begin, last)) }
        guard silence - credit >= threshold - Self.readinessMilliseconds else {
            return "\(mark.text) after \(silence) ms of silence, \(credit) ms of which were our own outage"
        }
        return nil
    }

    /// Whether a mark that is right fell on a client that only had no turn on this machine.
    func isStarved(_ mark: StoredJob.Event, _ ledger: Ledger) -> Bool {
        ledger.tries.contains { $0.begin > mark.at }
    }

    private func threshold(_ mark: StoredJob.Event) -> Int64 {
        mark.cause == "silent: failed" ? failedAfterMilliseconds : stalledAfterMilliseconds
    }

    /// Whether the job's silence may mean something: it has reported, or announced to.
    static func isWatched(_ ledger: Ledger) -> Bool {
        tells(ledger) { entry in
            if case .refused = entry.fate { false } else { true }
        }
    }

    /// Whether it does mean something: that was acknowledged.
    static func isWatchedForCertain(_ ledger: Ledger) -> Bool {
        tells(ledger) { $0.fate == .taken || $0.fate == .kept }
    }

    private static func tells(_ ledger: Ledger, _ counts: (Ledger.Entry) -> Bool) -> Bool {
        ledger.entries.contains { entry in
            guard counts(entry) else { return false }
            return entry.request.isRegistration
                ? entry.request.body.contains("\"telemetry\":true")
                : entry.request.path.contains("/telemetry/")
        }
    }
}
