import Foundation
import GRDB
import JobModel
import Logging
import Metrics
import ServiceKit
import Threading

/// The outbox's order and its file together: what the one decides, the other has on the disk.
struct OutboxShelf {
    private static let reopenMilliseconds: Int64 = 2000

    /// Whether the file can be used.
    enum State: Equatable {
        case closed
        /// It was read that many times.
        case open(Int)
    }

    private(set) var order = OutboxOrder()
    /// How often the file was read. What was on its way before it was read last goes out again.
    private(set) var loadCount = 0
    private let settings: OutboxSettings
    private let counters: OutboxCounters
    private let health: Health
    private let logger: Logger
    private var file: OutboxFile?
    private var nextOpenMilliseconds: Int64 = 0
    /// Entries that are done, but still in the file, since it could not be written.
    private var unremoved: [Int64] = []

    var state: State { file == nil ? .closed : .open(loadCount) }

    init(_ settings: OutboxSettings, _ counters: OutboxCounters, health: Health, logger: Logger) {
        self.settings = settings
        self.counters = counters
        self.health = health
        self.logger = logger
    }

    /// Opens the file. One that is damaged is set aside once what can be read of it is in a new one. Where there can be
    /// none, the ingest does without, and a damaged file stays where it is.
    mutating func open() {
        nextOpenMilliseconds = MonotonicClock.nowMilliseconds + Self.reopenMilliseconds
        do {
            let folder = URL(fileURLWithPath: settings.path).deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let renewal = OutboxRenewal(path: settings.path)
            if try renewal.finish() {
                logger.warning("a new outbox that an earlier run has filled takes the damaged one's place")
            }
            do {
                file = try opened()
            } catch let error as DatabaseError where OutboxFile.isDamage(error) {
                file = try renewed(renewal, because: error)
            }
            try? renewal.tidy()
            health.remark(Outbox.part, nil)
        } catch {
            file = nil
            let isNews = health.remark(
                Outbox.part,
                "\(settings.path) cannot be used, so clients that do not repeat are told 503: \(error)"
            )
            if isNews {
                logger.error(
                    "the outbox cannot be used",
                    metadata: ["path": "\(settings.path)", "error": "\(error)"]
                )
            }
        }
    }

    /// Tries once more, now and then.
    mutating func reopen(nowMilliseconds: Int64) {
        guard file == nil, nowMilliseconds >= nextOpenMilliseconds else { return }
        open()
    }

    /// Stores messages and removes what has ended, in one transaction.
    ///
    /// - Returns: whether the messages are on the disk.
    mutating func store(
        _ messages: [(message: JobMessage, receivedMilliseconds: Int64)],
        ended: [(job: JobID, id: Int64)],
        nowMilliseconds: Int64
    ) -> Bool {
        // A verdict is a fact, also where the file cannot be told of it now.
        for (job, id) in ended {
            order.ended(job, id: id)
            unremoved.append(id)
        }
        guard !messages.isEmpty || !unremoved.isEmpty else { return true }
        for _ in 0..<2 {
            guard let file else { return false }
            do {
                order = try write(messages, to: file, nowMilliseconds: nowMilliseconds)
                unremoved = []
                health.remark(Outbox.part, nil)
                return true
            } catch let error as DatabaseError where OutboxFile.isDamage(error) {
                self.file = nil
                try? file.close()
                open()
            } catch {
                let isNews = health.remark(
                    Outbox.part,
                    "\(settings.path) cannot be written, so clients that do not repeat are told 503: \(error)"
                )
                if isNews {
                    logger.error("the outbox cannot be written", metadata: ["error": "\(error)"])
                }
                return false
            }
        }
        return false
    }

    /// The next entries to send, which count as on their way; and the jobs of those that are damaged and so are done.
    mutating func next(
        countMax: Int,
        nowMilliseconds: Int64
    ) -> (entries: [OutboxEntry], damaged: [JobID]) {
        guard let file else { return ([], []) }
        let due = order.next(countMax: countMax, nowMilliseconds: nowMilliseconds)
        guard !due.isEmpty else { return ([], []) }
        do {
            let stored = try file.entries(due.map(\.id))
            var entries: [OutboxEntry] = []
            var damaged: [JobID] = []
            for (job, id) in due {
                if let entry = stored[id], entry.message.jobID == job {
                    entries.append(entry)
                    continue
                }
                counters.damaged.increment()
                logger.error("an entry of the outbox is damaged", metadata: ["job_id": "\(job)"])
                order.ended(job, id: id)
                unremoved.append(id)
                damaged.append(job)
            }
            return (entries, damaged)
        } catch {
            logger.error("the outbox cannot be read", metadata: ["error": "\(error)"])
            for (job, id) in due {
                order.failed(job, id: id, isHeld: false, nowMilliseconds: nowMilliseconds)
            }
            if let error = error as? DatabaseError, OutboxFile.isDamage(error) {
                self.file = nil
                try? file.close()
                open()
            }
            return ([], [])
        }
    }

    /// An entry could not be stored by a writer now.
    mutating func failed(_ job: JobID, id: Int64, isHeld: Bool, nowMilliseconds: Int64) {
        order.failed(job, id: id, isHeld: isHeld, nowMilliseconds: nowMilliseconds)
    }

    /// Puts into the metrics what there is.
    func report() {
        counters.entries.record(order.entryCount)
        counters.jobs.record(order.jobCount)
        if let file, let byteCount = try? file.byteCount() { counters.bytes.record(byteCount) }
    }

    private func write(
        _ messages: [(message: JobMessage, receivedMilliseconds: Int64)],
        to file: OutboxFile,
        nowMilliseconds: Int64
    ) throws -> OutboxOrder {
        var next = order
        try file.write { transaction in
            for id in unremoved { try transaction.remove(id) }
            for (message, receivedMilliseconds) in messages {
                let id = try Self.put(
                    message,
                    next.decision(message),
                    transaction,
                    receivedMilliseconds: receivedMilliseconds
                )
                next.stored(message, id: id, sinceMilliseconds: nowMilliseconds)
            }
        }
        return next
    }

    /// Returns the entry that holds the message now.
    private static func put(
        _ message: JobMessage,
        _ decision: OutboxOrder.Decision,
        _ transaction: OutboxFile.Transaction,
        receivedMilliseconds: Int64
    ) throws -> Int64 {
        if case .replace(let id) = decision {
            do {
                try transaction.replace(id, message, receivedMilliseconds: receivedMilliseconds)
                return id
            } catch is OutboxFile.EntryGone {
                // It stands behind an entry that is lost, then.
            }
        }
        return try transaction.append(message, receivedMilliseconds: receivedMilliseconds)
    }

    // MARK: - Damage

    private mutating func opened() throws -> OutboxFile {
        let file = try OutboxFile(path: settings.path, byteCountMax: settings.byteCountMax)
        do {
            try file.check()
            let contents = try file.contents()
            guard contents.damagedCount == 0, !contents.isTorn else {
                throw DatabaseError(
                    resultCode: .SQLITE_CORRUPT,
                    message: "\(contents.damagedCount) entries have a wrong checksum"
                )
            }
            fill(contents.entries)
            return file
        } catch {
            try? file.close()
            throw error
        }
    }

    /// Begins a new file with what can be read of a damaged one, which is set aside.
    private mutating func renewed(
        _ renewal: OutboxRenewal,
        because error: DatabaseError
    ) throws -> OutboxFile {
        var contents = try renewal.contents()
        // What is done must not come again.
        let done = Set(unremoved)
        contents.entries.removeAll { done.contains($0.id) }
        let aside = try renewal.renew(with: contents.entries, byteCountMax: settings.byteCountMax)
        unremoved = []
        counters.setAside.increment()
        counters.damaged.increment(by: contents.damagedCount)
        logger.error(
            "the outbox was damaged; it is set aside, and what could be read of it goes on",
            metadata: [
                "error": "\(error)", "aside": "\(aside)", "saved": "\(contents.entries.count)",
                "damaged": "\(contents.damagedCount)",
            ]
        )
        return try opened()
    }

    private mutating func fill(_ entries: [OutboxEntry]) {
        order = OutboxOrder()
        loadCount += 1
        let now = MonotonicClock.nowMilliseconds
        let done = Set(unremoved)
        for entry in entries where !done.contains(entry.id) {
            order.stored(entry.message, id: entry.id, sinceMilliseconds: now)
        }
    }
}
