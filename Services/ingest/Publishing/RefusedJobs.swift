import JobModel

/// Jobs whose messages nobody could store lately. What such a job's client told is lost to the stale-detector, so
/// its silence would be ours.
///
/// A refusal here and there is none: the client tells again long before its job counts as silent. Only a job that
/// is refused again and again, without one message stored in between, makes an interruption.
struct RefusedJobs {
    private struct Entry {
        var firstMilliseconds: Int64
        var lastMilliseconds: Int64
    }

    /// The most jobs that it knows; with more it is an interruption whatever they are.
    static let countMax = 100_000

    /// Milliseconds between looks for what has lost its meaning: with a whole fleet refused, one takes tens
    /// of milliseconds, for which the door waits.
    private static let forgetPauseMilliseconds: Int64 = 1000

    private let gapMilliseconds: Int64
    private var lastForgetMilliseconds = Int64.min / 2
    private var entries: [JobID: Entry] = [:]
    /// Clients that were turned away before they could name a job.
    private var strangers: Entry?

    /// - Parameter gapMilliseconds: refusals for so long make an interruption.
    init(gapMilliseconds: Int64) {
        self.gapMilliseconds = gapMilliseconds
    }

    /// Whether there is nobody to forgive.
    var isEmpty: Bool { entries.isEmpty }

    /// A job's message was answered that it could not be stored. nil: a client was turned away unheard.
    mutating func refuse(_ job: JobID?, nowMilliseconds: Int64) {
        guard let job else {
            strangers = prolonged(strangers, nowMilliseconds)
            return
        }
        guard entries[job] != nil || entries.count < Self.countMax else { return }
        entries[job] = prolonged(entries[job], nowMilliseconds)
    }

    /// A job's message was stored.
    mutating func accept(_ job: JobID) { entries[job] = nil }

    /// Whether some client has gone unheard for too long, up to now.
    func isInterruption(nowMilliseconds: Int64) -> Bool {
        entries.count >= Self.countMax
            || ([strangers].compactMap(\.self) + entries.values).contains {
                isFresh($0, nowMilliseconds) && $0.lastMilliseconds - $0.firstMilliseconds >= gapMilliseconds
            }
    }

    /// Drops what has lost its meaning, at most once a second.
    mutating func forget(nowMilliseconds: Int64) {
        guard nowMilliseconds - lastForgetMilliseconds >= Self.forgetPauseMilliseconds else { return }
        lastForgetMilliseconds = nowMilliseconds
        entries = entries.filter { isFresh($0.value, nowMilliseconds) }
        if let known = strangers, !isFresh(known, nowMilliseconds) { strangers = nil }
    }

    private func isFresh(_ entry: Entry, _ now: Int64) -> Bool {
        now - entry.lastMilliseconds <= gapMilliseconds
    }

    private func prolonged(_ entry: Entry?, _ now: Int64) -> Entry {
        guard let entry, isFresh(entry, now) else {
            return Entry(firstMilliseconds: now, lastMilliseconds: now)
        }
        return Entry(firstMilliseconds: entry.firstMilliseconds, lastMilliseconds: now)
    }
}
