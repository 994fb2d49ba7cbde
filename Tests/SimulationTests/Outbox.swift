import JobModel

@testable import Ingest

/// The outbox's file: what a transaction holds survives every kill.
final class OutboxStorage {
    var entries: [Int64: (message: JobMessage, receivedMilliseconds: Int64)] = [:]
    var lastID: Int64 = 0
    /// Nothing can be written.
    var isFull = false
}

/// The outbox: `Outbox` and `OutboxShelf` without their thread and with a file in memory.
///
/// Unchecked: see `Scheduler`.
final class SimulatedOutbox: @unchecked Sendable {
    private enum Work {
        case accept(JobMessage, receivedMilliseconds: Int64, reply: @Sendable (Bool) -> Void)
        case verdict(JobID, id: Int64, Answer)
    }

    private static let underWayCountMax = 8

    private unowned let ingest: SimulatedIngest
    private let desk: PublisherDesk
    private let file: OutboxStorage
    private(set) var order = OutboxOrder()
    private var mailbox: [Work] = []
    private var arriving: [JobID: Int] = [:]
    private var waiting: Set<JobID> = []
    private var unremoved: [Int64] = []
    private var isDead = false
    private var isOpen = false
    private var isTurnDue = false
    private var isPulsing = false

    init(_ ingest: SimulatedIngest, desk: PublisherDesk) {
        self.ingest = ingest
        self.desk = desk
        file = ingest.file
    }

    private var scheduler: Scheduler { ingest.world.scheduler }
    private var world: World { ingest.world }

    func kill() { isDead = true }

    /// A file takes its time to be looked through.
    func open() {
        scheduler.after(scheduler.pick(1...400)) { [self] in
            guard !isDead else { return }
            for id in file.entries.keys.sorted() {
                guard let entry = file.entries[id] else { continue }
                order.stored(entry.message, id: id, sinceMilliseconds: scheduler.now)
            }
            waiting = order.jobs
            isOpen = true
            turn()
        }
    }

    func holds(_ job: JobID) -> Bool { !isOpen || arriving[job] != nil || waiting.contains(job) }

    func accept(
        _ message: JobMessage,
        receivedMilliseconds: Int64,
        reply: @escaping @Sendable (Bool) -> Void
    ) {
        let job = message.jobID
        arriving[job, default: 0] += 1
        mailbox.append(
            .accept(message, receivedMilliseconds: receivedMilliseconds) { [self] isKept in
                let rest = (arriving[job] ?? 1) - 1
                arriving[job] = rest == 0 ? nil : rest
                reply(isKept)
            }
        )
        wake()
    }

    private func wake() {
        guard isOpen, !isTurnDue else { return }
        isTurnDue = true
        // A kill may come before a delete is written.
        scheduler.after(scheduler.pick(0...30)) { [self] in
            isTurnDue = false
            turn()
        }
    }

    private func pulse() {
        guard !isPulsing else { return }
        isPulsing = true
        scheduler.after(100) { [self] in
            isPulsing = false
            turn()
        }
    }

    private func turn() {
        guard !isDead else { return }
        guard !ingest.isPaused else {
            return scheduler.after(ingest.pausedUntil - scheduler.now) { [self] in turn() }
        }
        var work: [Work] = []
        swap(&work, &mailbox)
        store(work)
        send()
        desk.backlog(sinceMilliseconds: order.backlogSinceMilliseconds)
        if order.entryCount > 0 { pulse() }
    }

    /// As `Outbox.store` and `OutboxShelf.store`.
    private func store(_ work: [Work]) {
        var accepts: [(message: JobMessage, receivedMilliseconds: Int64)] = []
        var replies: [@Sendable (Bool) -> Void] = []
        var ended: [(job: JobID, id: Int64)] = []
        for one in work {
            switch one {
            case .accept(let message, let receivedMilliseconds, let reply):
                accepts.append((message, receivedMilliseconds))
                replies.append(reply)
            case .verdict(let job, let id, let answer):
                switch answer.verdict {
                case .unavailable, .held:
                    order.failed(
                        job,
                        id: id,
                        isHeld: answer.verdict == .held,
                        nowMilliseconds: scheduler.now
                    )
                case .applied, .created, .repeated, .superseded, .unknownJob, .unknownDisk, .terminal,
                    .conflict, .rejected:
                    ended.append((job, id))
                }
            }
        }
        for (job, id) in ended {
            order.ended(job, id: id)
            unremoved.append(id)
        }
        let isKept = write(accepts)
        for (message, _) in accepts where order.holds(message.jobID) { waiting.insert(message.jobID) }
        for (job, _) in ended where !order.holds(job) { waiting.remove(job) }
        for reply in replies { reply(isKept) }
    }

    /// One transaction: all of it, or nothing.
    private func write(_ messages: [(message: JobMessage, receivedMilliseconds: Int64)]) -> Bool {
        guard !messages.isEmpty || !unremoved.isEmpty else { return true }
        guard !file.isFull else { return false }
        for id in unremoved { file.entries[id] = nil }
        unremoved = []
        for (message, receivedMilliseconds) in messages {
            let id: Int64
            switch order.decision(message) {
            case .append:
                file.lastID += 1
                id = file.lastID
            case .replace(let last):
                id = last
            }
            file.entries[id] = (message, receivedMilliseconds)
            order.stored(message, id: id, sinceMilliseconds: scheduler.now)
            scheduler.trace("\(ingest.name) keeps \(world.words(message)) as entry \(id)")
        }
        world.checkBound(of: file, in: ingest.name)
        return true
    }

    /// As `Outbox.send`.
    private func send() {
        let underWay = order.underWayCount
        let room = ingest.isStoring ? Self.underWayCountMax - underWay : underWay == 0 ? 1 : 0
        guard room > 0, order.entryCount > underWay else { return }
        for (job, id) in order.next(countMax: room, nowMilliseconds: scheduler.now) {
            guard let entry = file.entries[id] else {
                world.expect(false, "entry \(id) is not in \(ingest.name)'s file")
                continue
            }
            ingest.publish(entry.message, receivedMilliseconds: entry.receivedMilliseconds) {
                [self] outcome in
                guard case .answered(let answer) = outcome else { return }
                mailbox.append(.verdict(job, id: id, answer))
                wake()
            }
        }
    }
}
