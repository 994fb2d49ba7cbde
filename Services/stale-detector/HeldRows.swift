import JobModel

/// Jobs whose rows another transaction holds: their clients' messages cannot be stored meanwhile either, so that
/// silence is not theirs.
struct HeldRows {
    private struct Entry {
        var firstMilliseconds: Int64
        var lastMilliseconds: Int64
    }

    /// A row that is held for less is only in use.
    private static let briefMilliseconds: Int64 = 1000

    private var entries: [JobID: Entry] = [:]

    /// A job's row was found held. Returns whether it was not at the look before.
    mutating func note(_ job: JobID, nowMilliseconds: Int64) -> Bool {
        guard let entry = entries[job], nowMilliseconds >= entry.lastMilliseconds else {
            entries[job] = Entry(firstMilliseconds: nowMilliseconds, lastMilliseconds: nowMilliseconds)
            return true
        }
        entries[job] = Entry(firstMilliseconds: entry.firstMilliseconds, lastMilliseconds: nowMilliseconds)
        return false
    }

    /// Until when a job could not be heard. nil: it could all the time.
    func heldUntil(_ job: JobID) -> Int64? {
        guard let entry = entries[job],
            entry.lastMilliseconds - entry.firstMilliseconds >= Self.briefMilliseconds
        else { return nil }
        return entry.lastMilliseconds
    }

    /// A job was marked, or has moved by itself.
    mutating func forget(_ job: JobID) { entries[job] = nil }

    /// Drops the jobs that are silent no more.
    mutating func keep(only jobs: Set<JobID>) {
        guard !entries.isEmpty else { return }
        entries = entries.filter { jobs.contains($0.key) }
    }
}
