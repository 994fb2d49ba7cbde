import JobModel

@testable import Ingest

/// A client. A new one repeats every message until it is answered; an old one tells it once and forgets it.
///
/// Unchecked: see `Scheduler`.
final class SimulatedClient: @unchecked Sendable {
    let number: Int
    let job: JobID
    private(set) var script: Script
    private unowned let world: World
    private let home: Int
    private let cadence: Int64
    private var queue: [JobMessage] = []
    private var isSending = false
    private var sendCount = 0
    private var failureCount: Int64 = 0
    /// All that it has told, in its order.
    private(set) var told: [JobMessage] = []
    /// Messages that were acknowledged, by their number; those that only an outbox has are in both.
    private(set) var acknowledged: [Int: JobMessage] = [:]
    private(set) var kept: [Int: JobMessage] = [:]
    /// It has used another ingest than its own.
    private(set) var hasMoved = false
    private(set) var isDead = false
    private(set) var hasFinished = false
    /// When it told its last message.
    private(set) var lastToldAt: Int64 = 0

    init(_ number: Int, _ world: World, job: JobID) {
        self.number = number
        self.job = job
        self.world = world
        script = Script(world.scheduler, job: job)
        home = Int(world.scheduler.pick(0...Int64(world.ingests.count - 1)))
        // Not twice in a second: of two such an outbox keeps both.
        cadence = world.scheduler.pick(1000...1600)
        if !script.isNew { world.database.insert(script.row) }
    }

    private var scheduler: Scheduler { world.scheduler }

    func start(at start: Int64, diesAt: Int64?) {
        if let diesAt {
            scheduler.after(diesAt) { [self] in
                guard !hasFinished else { return }
                scheduler.trace("\(job)'s client dies")
                isDead = true
            }
        }
        scheduler.after(start) { [self] in
            if script.isNew { queue.append(.registration(script.registration)) }
            tick()
        }
    }

    /// The test is over.
    func stop() { isDead = true }

    /// It is there and tells, or tries to.
    var isLive: Bool { !isDead && !hasFinished && !script.isSilent && lastToldAt > 0 }

    /// Its own ingest is away for so long, or has said that it goes, and it knows no other: nobody can know of it.
    var isCutOff: Bool {
        let ingest = world.ingests[home]
        guard !world.plan.isBalanced else { return false }
        guard world.database.knows(ingest.name) else { return true }
        guard let away = ingest.awaySince else { return false }
        return ingest.hasSignedOff || ingest.isStopping
            || scheduler.now - away >= Plan.failedAfterSeconds * 1000 - Plan.gapMilliseconds
    }

    private func tick() {
        guard !isDead, !script.hasEnded else { return }
        // An old client waits for its answer, and tells nothing meanwhile.
        if script.isNew || !isSending {
            for message in script.next(scheduler) {
                if script.isNew, message.isProgress, queue.count > (isSending ? 1 : 0),
                    queue.last?.isProgress == true, isReplaceable(queue.last)
                {
                    told.removeLast()
                    queue.removeLast()
                }
                queue.append(message)
                told.append(message)
            }
        }
        pump()
        scheduler.after(cadence) { [self] in tick() }
    }

    /// A report that says a disk is done is a transition.
    private func isReplaceable(_ message: JobMessage?) -> Bool {
        guard case .report(let report) = message else { return false }
        return !report.disks.contains { $0.status == .completed }
    }

    private func pump() {
        guard !isDead, !isSending else { return }
        guard let message = queue.first else {
            if script.hasEnded { hasFinished = true }
            return
        }
        isSending = true
        sendCount += 1
        lastToldAt = scheduler.now
        let number = sendCount
        scheduler.trace("\(job) tells \(world.words(message))")
        scheduler.after(Plan.clientTimeoutMilliseconds) { [self] in answered(number, message, nil) }
        scheduler.after(scheduler.pick(0...3)) { [self] in
            choice().request(message) { [self] outcome in
                scheduler.after(scheduler.pick(0...3)) { [self] in answered(number, message, outcome) }
            }
        }
    }

    private func choice() -> SimulatedIngest {
        let own = world.ingests[home]
        // A balancer asks `/readyz`: an ingest that has reached no writer yet gets nothing.
        let isReady: (SimulatedIngest) -> Bool = { [world] ingest in
            ingest.awaySince == nil && world.database.knows(ingest.name)
        }
        guard world.plan.isBalanced, !isReady(own), let other = world.ingests.first(where: isReady) else {
            return own
        }
        hasMoved = true
        return other
    }

    private func answered(_ number: Int, _ message: JobMessage, _ outcome: Outcome?) {
        guard isSending, number == sendCount, !isDead else { return }
        isSending = false
        let isTaken = note(message, outcome)
        if script.isNew, !isTaken {
            failureCount += 1
            let ceiling = min(Plan.backoffMillisecondsMax, 100 << min(failureCount, 4))
            scheduler.trace("\(job) has no answer, and tries again")
            return scheduler.after(scheduler.pick(ceiling / 2...ceiling)) { [self] in pump() }
        }
        failureCount = 0
        queue.removeFirst()
        pump()
    }

    /// Whether the message is dealt with.
    private func note(_ message: JobMessage, _ outcome: Outcome?) -> Bool {
        let tag = world.tag(of: message)
        switch outcome {
        case nil: return false
        case .kept:
            world.expect(!script.isNew, "\(job): a client that repeats was told 202")
            if let tag { (acknowledged[tag], kept[tag]) = (message, message) }
            return true
        case .answered(let answer):
            switch answer.verdict {
            case .unavailable, .held: return false
            case .applied, .created, .repeated, .superseded:
                if let tag {
                    acknowledged[tag] = message
                    world.expect(
                        world.database.log[job]?.contains(tag) == true,
                        "\(job): \(world.words(message)) was acknowledged and is not committed"
                    )
                }
                return true
            case .terminal: return true
            case .unknownJob, .unknownDisk, .conflict, .rejected:
                world.expect(false, "\(job): \(world.words(message)) was refused: \(answer.verdict)")
                return true
            }
        }
    }

    /// Its end is acknowledged: the job's, not only a disk's.
    var isEndAcknowledged: Bool {
        var disks: Set<Int32> = []
        for message in acknowledged.values {
            switch message {
            case .report(let report):
                if report.status == .failed || (script.isNew && report.status == .completed) { return true }
            case .completion(let completion): disks.insert(completion.diskIndex)
            case .registration, .cancel: break
            }
        }
        return disks.count == script.totals.count
    }
}
