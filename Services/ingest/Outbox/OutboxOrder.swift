import JobModel

/// What waits in the outbox, and in which order it goes out: first in, first out by job, jobs side by side.
///
/// Pure: it decides, and the outbox stores and sends. A progress takes the place of its job's last entry where it
/// says all that the other one says; so what waits grows with jobs and transitions, not with messages.
struct OutboxOrder {
    /// What to do with a message that is to wait.
    enum Decision: Equatable {
        /// It becomes an entry of its own.
        case append
        /// It takes the place of this entry.
        case replace(Int64)
    }

    private struct Entry {
        var id: Int64
        /// The report that it holds, if that is progress that may be replaced.
        var report: Report?
    }

    private struct Queue {
        var entries: [Entry] = []
        /// The first entry is on its way to a writer.
        var isUnderWay = false
        /// Not before this time it is tried again.
        var notBeforeMilliseconds: Int64 = .min
        var failureCount = 0
        /// The job's row is held by somebody: its wait is no fault of the way.
        var isHeld = false
        /// Since when something of the job waits.
        var sinceMilliseconds: Int64
    }

    private static let firstPauseMilliseconds: Int64 = 100
    private static let longestPauseMilliseconds: Int64 = 2000

    private var queues: [JobID: Queue] = [:]
    /// Jobs that may be tried, in turn; some of them in vain.
    private var turn: [JobID] = []
    private var turnStart = 0

    /// How many entries wait.
    private(set) var entryCount = 0

    /// How many jobs wait.
    var jobCount: Int { queues.count }

    /// How many entries are on their way.
    private(set) var underWayCount = 0

    /// The jobs that wait.
    var jobs: Set<JobID> { Set(queues.keys) }

    /// Whether something of a job waits.
    func holds(_ job: JobID) -> Bool { queues[job] != nil }

    /// What to do with a message that is to wait.
    func decision(_ message: JobMessage) -> Decision {
        guard case .report(let report) = message, let queue = queues[report.jobID],
            let last = queue.entries.last, let waiting = last.report,
            // What is on its way may be stored already: its verdict must not take a newer one with it.
            !(queue.isUnderWay && queue.entries.count == 1), report.replaces(waiting)
        else { return .append }
        return .replace(last.id)
    }

    /// A message is stored as an entry: a new one, or in the place of the one that `decision` named.
    mutating func stored(_ message: JobMessage, id: Int64, sinceMilliseconds: Int64) {
        let job = message.jobID
        var report: Report?
        if case .report(let told) = message { report = told }
        if queues[job] == nil {
            queues[job] = Queue(sinceMilliseconds: sinceMilliseconds)
            turn.append(job)
        }
        if let last = queues[job]?.entries.indices.last, queues[job]?.entries[last].id == id {
            queues[job]?.entries[last].report = report
        } else {
            queues[job]?.entries.append(Entry(id: id, report: report))
            entryCount += 1
        }
    }

    /// The next entries to send, at most `countMax`, each of another job; they count as on their way.
    mutating func next(countMax: Int, nowMilliseconds: Int64) -> [(job: JobID, id: Int64)] {
        var found: [(job: JobID, id: Int64)] = []
        var passed: [JobID] = []
        while found.count < countMax, turnStart < turn.count {
            let job = turn[turnStart]
            turnStart += 1
            guard let queue = queues[job], !queue.isUnderWay, let first = queue.entries.first else {
                continue
            }
            guard queue.notBeforeMilliseconds <= nowMilliseconds else {
                passed.append(job)
                continue
            }
            queues[job]?.isUnderWay = true
            underWayCount += 1
            found.append((job, first.id))
        }
        turn.removeFirst(turnStart)
        turnStart = 0
        turn += passed
        return found
    }

    /// An entry got a verdict that ends it; it is no more.
    mutating func ended(_ job: JobID, id: Int64) {
        guard var queue = queues[job], queue.entries.first?.id == id else { return }
        queue.entries.removeFirst()
        entryCount -= 1
        underWayCount -= queue.isUnderWay ? 1 : 0
        queue.isUnderWay = false
        queue.failureCount = 0
        queue.isHeld = false
        queue.notBeforeMilliseconds = .min
        queues[job] = queue.entries.isEmpty ? nil : queue
        if !queue.entries.isEmpty { turn.append(job) }
    }

    /// An entry could not be stored now; it is tried again after a pause that grows.
    mutating func failed(_ job: JobID, id: Int64, isHeld: Bool, nowMilliseconds: Int64) {
        guard var queue = queues[job], queue.entries.first?.id == id, queue.isUnderWay else { return }
        underWayCount -= 1
        queue.isUnderWay = false
        queue.isHeld = isHeld
        queue.failureCount = min(queue.failureCount + 1, 16)
        let pause = min(
            Self.firstPauseMilliseconds << (queue.failureCount - 1),
            Self.longestPauseMilliseconds
        )
        queue.notBeforeMilliseconds = nowMilliseconds + pause
        queues[job] = queue
        turn.append(job)
    }

    /// Since when the first of those waits that could be stored. nil: none does.
    var backlogSinceMilliseconds: Int64? {
        queues.values.lazy.filter { !$0.isHeld }.map(\.sinceMilliseconds).min()
    }
}
