import Database
import DatabaseKit
import JobModel
import Logging
import ServiceKit
import Threading
import Wire

/// One lane: a thread with a connection of its own that takes all that has arrived since its last commit.
final class Lane: Sendable {
    /// Beats that find a place behind a full load of messages.
    private static let beatCountMax = 1024

    private let number: Int
    private let settings: WriterSettings
    private let health: Health
    private let logger: Logger
    private let migrated: Latch
    private let readAhead: ReadAhead
    private let mailbox: Mailbox<LaneWork>
    private let answer: @Sendable ([AnswerGroup]) -> Void

    init(
        number: Int,
        settings: WriterSettings,
        health: Health,
        logger: Logger,
        migrated: Latch,
        readAhead: ReadAhead,
        answer: @escaping @Sendable ([AnswerGroup]) -> Void
    ) {
        self.number = number
        self.settings = settings
        self.health = health
        self.logger = logger
        self.migrated = migrated
        self.readAhead = readAhead
        self.answer = answer
        mailbox = Mailbox(countMax: settings.laneMessageCountMax)
    }

    /// Puts messages in, in their order.
    ///
    /// What only tells how far a job is comes again: the last quarter of the lane is for all else.
    ///
    /// - Returns: those that are not in, since the lane is full or closed.
    func put(_ messages: [LaneWork]) -> [LaneItem] {
        var refused: [LaneItem] = []
        var start = 0
        while start < messages.count {
            let isUrgent = messages[start].isUrgent
            var end = start + 1
            while end < messages.count, messages[end].isUrgent == isUrgent { end += 1 }
            let limit = isUrgent ? nil : settings.laneMessageCountMax * 3 / 4
            // Nearly all are progress, so that nearly always all go at once.
            let isAll = start == 0 && end == messages.count
            let run = isAll ? messages : Array(messages[start..<end])
            let count = mailbox.put(run, limit: limit, isUrgent: isUrgent)
            for case .message(let item) in run[count...] { refused.append(item) }
            start = end
        }
        return refused
    }

    /// Puts a beat in, also where the lane is full of messages: it is to tell how long they wait.
    func put(_ beat: BeatItem) -> Bool {
        mailbox.put(.beat(beat), limit: settings.laneMessageCountMax + Self.beatCountMax)
    }

    /// Puts in what was read of jobs before they are heard of. false if the lane is full or closed.
    func put(_ known: KnownJobs) -> Bool { mailbox.put(.known(known), isUrgent: true) }

    /// The lane as a service: at shutdown it commits what is in, then ends.
    func service() -> ThreadService {
        ThreadService(name: "lane-\(number)") { [mailbox] in
            mailbox.close()
        } _: { [self] in
            DatabaseLibrary.withThread { run() }
        }
    }

    /// The name under which the lane's database shows in the writer's health.
    static func part(_ number: Int) -> String { "lane \(number)" }

    private func run() {
        let session = Session(settings.database, part: Self.part(number), health: health, logger: logger)
        let committer = Committer(
            session,
            memoryCountMax: JobMemory.writerCountMax / settings.laneCount,
            logger: logger
        )
        var beats = LaneBeats(session, settings: settings, lane: Int32(number), logger: logger)
        var patience = Patience(lingerMilliseconds: Int64(settings.lingerMilliseconds))
        while let work = mailbox.takeAll(waitingMilliseconds: 1000) {
            guard !work.isEmpty else {
                // Keeps the connection, or tries to get one, so that health tells the truth without load.
                if migrated.isOpen, session.connection()?.isAlive() == true { session.succeeded() }
                committer.idle()
                continue
            }
            store(withCompany(work, &patience), committer, &beats)
            committer.idle()
        }
        if migrated.isOpen { beats.signOff() }
    }

    /// The work that has come, and what arrives while a lane with little to do waits a little: fewer, larger commits.
    private func withCompany(_ first: [LaneWork], _ patience: inout Patience) -> [LaneWork] {
        patience.workCame(nowMilliseconds: MonotonicClock.nowMilliseconds)
        var work = first
        while let rest = patience.rest(work, nowMilliseconds: MonotonicClock.nowMilliseconds) {
            let count = Patience.companyCount - work.count
            guard let more = mailbox.takeAll(waitingMilliseconds: rest, for: count), !more.isEmpty else {
                break
            }
            work += more
        }
        patience.workGoes(nowMilliseconds: MonotonicClock.nowMilliseconds)
        return work
    }

    /// Beats go last: a stored one says that all messages before it are dealt with.
    private func store(_ work: [LaneWork], _ committer: Committer, _ beats: inout LaneBeats) {
        var items: [LaneItem] = []
        items.reserveCapacity(work.count)
        var taken: [BeatItem] = []
        for one in work {
            switch one {
            case .message(let item): items.append(item)
            case .beat(let beat): taken.append(beat)
            case .known(let known):
                committer.store.know(known.jobs)
                known.isTaken.open()
            }
        }
        store(items, committer)
        let strangers = committer.store.takeStrangerCount()
        if strangers > 0 { readAhead.met(strangers) }
        guard !taken.isEmpty else { return }
        answer(beats.store(taken, isReady: migrated.isOpen))
    }

    private func store(_ items: [LaneItem], _ committer: Committer) {
        var rest = items[...]
        while !rest.isEmpty {
            let first = Batch.prefix(rest, jobCountMax: JobStore.jobCountMax)
            let batch = first.count == items.count ? items : Array(first)
            rest = rest.dropFirst(batch.count)
            let answers =
                migrated.isOpen
                ? committer.commit(batch, isPressed: !rest.isEmpty)
                : batch.map { _ in Answer(.unavailable, detail: "The database is not ready yet; try again.") }
            answer(AnswerGroup.all(batch, answers))
        }
    }
}
