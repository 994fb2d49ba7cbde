import Database
import DatabaseKit
import JobModel
import Logging
import ServiceKit
import Threading
import Wire

/// One lane: a thread with a connection of its own that takes all that has arrived since its last commit.
final class Lane: Sendable {
    /// A batch below this is small: its lane has time to wait for company.
    private static let smallBatchCount = 32

    private let number: Int
    private let settings: WriterSettings
    private let health: Health
    private let logger: Logger
    private let migrated: Latch
    private let mailbox: Mailbox<LaneItem>
    private let answer: @Sendable ([(sender: [UInt8], answer: AnswerEnvelope)]) -> Void

    init(
        number: Int,
        settings: WriterSettings,
        health: Health,
        logger: Logger,
        migrated: Latch,
        answer: @escaping @Sendable ([(sender: [UInt8], answer: AnswerEnvelope)]) -> Void
    ) {
        self.number = number
        self.settings = settings
        self.health = health
        self.logger = logger
        self.migrated = migrated
        self.answer = answer
        mailbox = Mailbox(countMax: settings.laneMessageCountMax)
    }

    /// Puts an item in. false if the lane is full or closed.
    func put(_ item: LaneItem) -> Bool { mailbox.put(item) }

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
        let committer = Committer(session, logger: logger)
        var lastCount = 0
        while let items = mailbox.takeAll(waitingMilliseconds: 1000) {
            guard !items.isEmpty else {
                // Keeps the connection, or tries to get one, so that health tells the truth without load.
                if migrated.isOpen, session.connection()?.isAlive() == true { session.succeeded() }
                committer.idle()
                continue
            }
            let all = items + company(items.count, lastCount)
            lastCount = all.count
            store(all, committer)
        }
    }

    /// What arrives while a lane with little to do waits a little: fewer, larger commits.
    private func company(_ count: Int, _ lastCount: Int) -> [LaneItem] {
        guard max(count, lastCount) < Self.smallBatchCount, settings.lingerMilliseconds > 0 else { return [] }
        Pause.milliseconds(settings.lingerMilliseconds)
        return mailbox.takeAll(waitingMilliseconds: 0) ?? []
    }

    private func store(_ items: [LaneItem], _ committer: Committer) {
        var rest = items[...]
        while !rest.isEmpty {
            let batch = Array(Batch.prefix(rest, jobCountMax: JobStore.jobCountMax))
            rest = rest.dropFirst(batch.count)
            let answers =
                migrated.isOpen
                ? committer.commit(batch)
                : batch.map { _ in Answer(.unavailable, detail: "The database is not ready yet; try again.") }
            answer(
                zip(batch, answers).map { item, answer in
                    (item.sender, AnswerEnvelope(messageID: item.messageID, answer: answer))
                }
            )
        }
    }
}
