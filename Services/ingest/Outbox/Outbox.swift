import Foundation
import GRDB
import JobModel
import Logging
import Metrics
import ServiceKit
import Synchronization
import Threading

/// Keeps what clients tell that never tell it twice, while nobody can store it: on this machine's disk before they are
/// answered 202, and on to a writer, in order, once one stores again.
final class Outbox: Sendable {
    private enum Work: Sendable {
        case accept(JobMessage, receivedMilliseconds: Int64, reply: @Sendable (Bool) -> Void)
        /// `load`: how often the file had been read when the entry was sent.
        case verdict(JobID, id: Int64, load: Int, Answer)
    }

    /// Jobs whose messages have to wait behind others of theirs.
    private struct Holding {
        /// What became of the file; nil: it was not tried yet, so that every job's messages have to wait.
        ///
        /// Where it could not be opened nothing waits: what it may hold is not known, and nothing can be put behind it.
        /// Writers that store serve all clients then, rather than none for as long as the file cannot be used.
        var shelf: OutboxShelf.State?
        /// Messages that are about to be stored, by job.
        var arriving: [JobID: Int] = [:]
        var waiting: Set<JobID> = []
    }

    /// The name under which it shows in the ingest's health.
    static let part = "outbox"
    /// The most messages that wait to be stored.
    private static let arrivingCountMax = 50_000
    /// The most entries on their way at once.
    private static let underWayCountMax = 512

    private let settings: OutboxSettings
    private let way: OutboxWay
    private let health: Health
    private let logger: Logger
    private let mailbox = Mailbox<Work>(countMax: arrivingCountMax)
    private let holding = Mutex(Holding())
    private let counters = OutboxCounters()

    init(_ settings: OutboxSettings, _ way: OutboxWay, health: Health, logger: Logger) {
        self.settings = settings
        self.way = way
        self.health = health
        self.logger = logger
    }

    /// Whether something of the job waits, so that its next message has to wait behind it.
    func holds(_ job: JobID) -> Bool {
        holding.withLock { $0.shelf == nil || $0.arriving[job] != nil || $0.waiting.contains(job) }
    }

    /// Takes a message in. The reply comes once, from any thread: whether it is on the disk.
    func accept(
        _ message: JobMessage,
        receivedMilliseconds: Int64,
        reply: @escaping @Sendable (Bool) -> Void
    ) {
        let job = message.jobID
        // From here on, not from when it is stored: the job's next message may come before that.
        holding.withLock { $0.arriving[job, default: 0] += 1 }
        let work = Work.accept(message, receivedMilliseconds: receivedMilliseconds) { [self] isKept in
            holding.withLock { holding in
                let rest = (holding.arriving[job] ?? 1) - 1
                holding.arriving[job] = rest == 0 ? nil : rest
            }
            (isKept ? counters.accepted : counters.turnedAway).increment()
            reply(isKept)
        }
        guard !mailbox.put(work) else { return }
        if case .accept(_, _, let reply) = work { reply(false) }
    }

    /// The outbox as a service: at shutdown it stores what has come, and keeps the rest for the next run.
    func service() -> ThreadService {
        ThreadService(name: "outbox") { [self] in
            stop()
        } _: { [self] in
            run()
        }
    }

    /// Ends the thread once all that has come is stored.
    func stop() { mailbox.close() }

    private func run() {
        var shelf = OutboxShelf(settings, counters, health: health, logger: logger)
        shelf.open()
        settle(shelf)
        var nextReportMilliseconds: Int64 = 0
        while let work = mailbox.takeAll(waitingMilliseconds: shelf.order.entryCount > 0 ? 20 : 500) {
            let now = MonotonicClock.nowMilliseconds
            shelf.reopen(nowMilliseconds: now)
            settle(shelf)
            store(work, &shelf, now)
            send(&shelf, now)
            guard now >= nextReportMilliseconds else { continue }
            nextReportMilliseconds = now + 200
            way.backlog(shelf.order.backlogSinceMilliseconds)
            shelf.report()
        }
        way.backlog(nil)
    }

    /// Stores what has come and removes what is done, all in one transaction; then those that wait are answered.
    private func store(_ work: [Work], _ shelf: inout OutboxShelf, _ now: Int64) {
        var accepts: [(message: JobMessage, receivedMilliseconds: Int64)] = []
        var replies: [@Sendable (Bool) -> Void] = []
        var ended: [(job: JobID, id: Int64)] = []
        for one in work {
            switch one {
            case .accept(let message, let receivedMilliseconds, let reply):
                accepts.append((message, receivedMilliseconds))
                replies.append(reply)
            case .verdict(let job, let id, let load, let answer):
                // The file was read anew meanwhile: what was on its way goes out again, and that number may be another
                // entry's.
                guard load == shelf.loadCount else { continue }
                if judge(job, id, answer, &shelf, now) { ended.append((job, id)) }
            }
        }
        let isKept = shelf.store(accepts, ended: ended, nowMilliseconds: now)
        settle(shelf, changed: accepts.map(\.message.jobID) + ended.map(\.job))
        for reply in replies { reply(isKept) }
    }

    /// Lets `holds` know what waits now: all of it where the file was read anew, else these jobs.
    private func settle(_ shelf: OutboxShelf, changed: [JobID] = []) {
        let state = shelf.state
        holding.withLock { holding in
            if holding.shelf != state {
                holding.shelf = state
                holding.waiting = state == .closed ? [] : shelf.order.jobs
            } else if state != .closed {
                for job in changed {
                    if shelf.order.holds(job) {
                        holding.waiting.insert(job)
                    } else {
                        holding.waiting.remove(job)
                    }
                }
            }
        }
    }

    /// What a writer made of an entry. Whether that is the end of it.
    private func judge(
        _ job: JobID,
        _ id: Int64,
        _ answer: Answer,
        _ shelf: inout OutboxShelf,
        _ now: Int64
    ) -> Bool {
        switch answer.verdict {
        case .unavailable, .held:
            shelf.failed(job, id: id, isHeld: answer.verdict == .held, nowMilliseconds: now)
            return false
        case .applied, .created, .repeated, .superseded:
            counters.delivered.increment()
        case .unknownJob, .unknownDisk, .terminal, .conflict, .rejected:
            // Its client was told 202 and asks no more, so an operator has to hear of it.
            counters.refused(answer.verdict).increment()
            logger.warning(
                "a message that was accepted during an outage is refused by the rules",
                metadata: [
                    "job_id": "\(job)", "verdict": "\(answer.verdict.rawValue)", "detail": "\(answer.detail)",
                ]
            )
        }
        return true
    }

    private func send(_ shelf: inout OutboxShelf, _ now: Int64) {
        let underWay = shelf.order.underWayCount
        // While no writer is known to store anything one entry at a time asks.
        let room = way.isStoring() ? Self.underWayCountMax - underWay : underWay == 0 ? 1 : 0
        guard room > 0, shelf.order.entryCount > underWay else { return }
        let due = shelf.next(countMax: room, nowMilliseconds: now)
        settle(shelf, changed: due.damaged)
        let load = shelf.loadCount
        for entry in due.entries {
            let job = entry.message.jobID
            way.publish(entry.message, entry.receivedMilliseconds) { [mailbox] answer in
                _ = mailbox.put(.verdict(job, id: entry.id, load: load, answer), limit: .max)
            }
        }
    }
}

/// What the outbox needs of the rest of the ingest.
struct OutboxWay: Sendable {
    /// Whether some writer stores what it is told.
    var isStoring: @Sendable () -> Bool
    /// Sends one message, received at a time of this machine's monotonic clock, to a writer.
    var publish: @Sendable (JobMessage, Int64, @escaping @Sendable (Answer) -> Void) -> Void
    /// Hears since when messages wait; nil: none does.
    var backlog: @Sendable (Int64?) -> Void
}

/// What the outbox can be told.
struct OutboxSettings: Sendable {
    /// Where its file is.
    var path: String
    /// The most bytes that the file may have.
    var byteCountMax: Int64
}

/// The outbox's metrics.
struct OutboxCounters: Sendable {
    let accepted = Counter(label: "sendense_ingest_outbox_accepted_total")
    let turnedAway = Counter(label: "sendense_ingest_outbox_turned_away_total")
    let delivered = Counter(label: "sendense_ingest_outbox_delivered_total")
    let damaged = Counter(label: "sendense_ingest_outbox_damaged_entries_total")
    let setAside = Counter(label: "sendense_ingest_outbox_files_set_aside_total")
    let entries = Gauge(label: "sendense_ingest_outbox_entries")
    let jobs = Gauge(label: "sendense_ingest_outbox_jobs")
    let bytes = Gauge(label: "sendense_ingest_outbox_bytes")

    func refused(_ verdict: Verdict) -> Counter {
        Counter(label: "sendense_ingest_outbox_refused_total", dimensions: [("verdict", verdict.rawValue)])
    }
}
