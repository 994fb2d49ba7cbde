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

    private(set) var order = OutboxOrder()
    private let settings: OutboxSettings
    private let counters: OutboxCounters
    private let health: Health
    private let logger: Logger
    private var file: OutboxFile?
    private var nextOpenMilliseconds: Int64 = 0
    /// Entries that are done, but still in the file, since it could not be written.
    private var unremoved: [Int64] = []

    init(_ settings: OutboxSettings, _ counters: OutboxCounters, health: Health, logger: Logger) {
        self.settings = settings
        self.counters = counters
        self.health = health
        self.logger = logger
    }

    /// Opens the file. One that is damaged is set aside, and what can be read of it goes into a new one. Where there
    /// can be none, the ingest does without.
    mutating func open() {
        nextOpenMilliseconds = MonotonicClock.nowMilliseconds + Self.reopenMilliseconds
        do {
            let folder = URL(fileURLWithPath: settings.path).deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            do {
                file = try opened()
            } catch let error as DatabaseError where Self.isDamage(error) {
                file = try renewed(because: error)
            }
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
            } catch let error as DatabaseError where Self.isDamage(error) {
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

    /// The next entries to send; they count as on their way.
    mutating func next(countMax: Int, nowMilliseconds: Int64) -> [OutboxEntry] {
        guard let file else { return [] }
        let due = order.next(countMax: countMax, nowMilliseconds: nowMilliseconds)
        guard !due.isEmpty else { return [] }
        do {
            let entries = try file.entries(due.map(\.id))
            return due.compactMap { job, id in
                if let entry = entries[id], entry.message.jobID == job { return entry }
                counters.damaged.increment()
                logger.error("an entry of the outbox is damaged", metadata: ["job_id": "\(job)"])
                order.ended(job, id: id)
                unremoved.append(id)
                return nil
            }
        } catch {
            logger.error("the outbox cannot be read", metadata: ["error": "\(error)"])
            for (job, id) in due {
                order.failed(job, id: id, isHeld: false, nowMilliseconds: nowMilliseconds)
            }
            if let error = error as? DatabaseError, Self.isDamage(error) {
                self.file = nil
                try? file.close()
                open()
            }
            return []
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
                let id: Int64
                switch next.decision(message) {
                case .append:
                    id = try transaction.append(message, receivedMilliseconds: receivedMilliseconds)
                case .replace(let last):
                    id = last
                    try transaction.replace(last, message, receivedMilliseconds: receivedMilliseconds)
                }
                next.stored(message, id: id, sinceMilliseconds: nowMilliseconds)
            }
        }
        return next
    }

    // MARK: - Damage

    private mutating func opened() throws -> OutboxFile {
        let file = try OutboxFile(path: settings.path, byteCountMax: settings.byteCountMax)
        try file.check()
        let contents = file.contents()
        guard contents.damagedCount == 0 else {
            try? file.close()
            throw DatabaseError(
                resultCode: .SQLITE_CORRUPT,
                message: "\(contents.damagedCount) entries have a wrong checksum"
            )
        }
        fill(contents.entries)
        return file
    }

    /// Sets a damaged file aside and begins a new one with what can be read of it.
    private mutating func renewed(because error: DatabaseError) throws -> OutboxFile {
        let aside = "\(settings.path).damaged-\(WallClock.nowMilliseconds)"
        for suffix in ["", "-wal", "-shm"]
        where FileManager.default.fileExists(atPath: settings.path + suffix) {
            try FileManager.default.moveItem(atPath: settings.path + suffix, toPath: aside + suffix)
        }
        var contents = OutboxFile.Contents()
        if let old = try? OutboxFile(path: aside, byteCountMax: settings.byteCountMax) {
            contents = old.contents()
            try? old.close()
        }
        counters.setAside.increment()
        counters.damaged.increment(by: contents.damagedCount)
        logger.error(
            "the outbox was damaged; it is set aside, and what could be read of it goes on",
            metadata: [
                "error": "\(error)", "aside": "\(aside)", "saved": "\(contents.entries.count)",
                "damaged": "\(contents.damagedCount)",
            ]
        )
        let file = try OutboxFile(path: settings.path, byteCountMax: settings.byteCountMax)
        try file.write { transaction in
            for entry in contents.entries {
                try transaction.restore(entry)
            }
        }
        fill(contents.entries)
        return file
    }

    private mutating func fill(_ entries: [OutboxEntry]) {
        order = OutboxOrder()
        let now = MonotonicClock.nowMilliseconds
        for entry in entries { order.stored(entry.message, id: entry.id, sinceMilliseconds: now) }
    }

    private static func isDamage(_ error: DatabaseError) -> Bool {
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT: true
        // A log or a file that ends too early.
        case .SQLITE_IOERR: error.extendedResultCode == .SQLITE_IOERR_SHORT_READ
        // A file of that name with other tables in it.
        case .SQLITE_ERROR: true
        default: false
        }
    }
}
