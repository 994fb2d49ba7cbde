import Foundation
import GRDB
import JobModel
import Threading
import Wire

/// An entry as it stands in the file.
struct OutboxEntry: Sendable {
    /// The entry's number; a smaller one is older.
    var id: Int64
    /// What a client told.
    var message: JobMessage
    /// When the door received it, by this machine's monotonic clock; before its start where that was before.
    var receivedMilliseconds: Int64
}

/// The outbox's file: SQLite with a write-ahead log, where a transaction is on the disk before it counts.
///
/// Used on one thread only.
final class OutboxFile {
    /// What a look into a file has found.
    struct Contents {
        /// The entries that are whole, oldest first.
        var entries: [OutboxEntry] = []
        /// Entries that are there and make no sense.
        var damagedCount = 0
        /// Somewhere the file cannot be read, so that entries may be missing.
        var isTorn = false
    }

    /// There is no entry of that number.
    struct EntryGone: Error {
        var id: Int64
    }

    private static let pageByteCount: Int64 = 4096

    /// Where the file is.
    let path: String
    private let queue: DatabaseQueue
    private let time: OutboxTime

    /// Opens a file, and makes it where there is none.
    ///
    /// - Parameters:
    ///   - path: where it is.
    ///   - byteCountMax: the most bytes it may have.
    ///   - time: the machine's clocks.
    /// - Throws: GRDB's errors; `DatabaseError.SQLITE_CORRUPT` and `SQLITE_NOTADB` where it is damaged,
    ///   `SQLITE_BUSY` where another process has it.
    init(path: String, byteCountMax: Int64, time: OutboxTime = .machine) throws {
        self.path = path
        self.time = time
        var configuration = Configuration()
        configuration.busyMode = .timeout(1)
        configuration.prepareDatabase { database in
            // Nobody else is to write into it, and a second ingest is to find that out.
            try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            try database.execute(sql: "PRAGMA synchronous = FULL")
            try database.execute(sql: "PRAGMA max_page_count = \(max(byteCountMax / Self.pageByteCount, 16))")
            try database.execute(sql: "PRAGMA journal_size_limit = 4194304")
        }
        queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL,
                      monotonic_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL, checksum INTEGER NOT NULL,
                      message BLOB NOT NULL)
                    """
            )
        }
    }

    /// Opens a damaged file to read what can be read of it.
    ///
    /// - Parameters:
    ///   - copy: where a copy of it is that nobody needs afterwards.
    ///   - time: the machine's clocks.
    /// - Throws: as above.
    init(salvaging copy: String, time: OutboxTime = .machine) throws {
        path = copy
        self.time = time
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            // Else a file that ends too early is not read at all.
            try database.execute(sql: "PRAGMA writable_schema = ON")
            try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
        }
        queue = try DatabaseQueue(path: copy, configuration: configuration)
    }

    /// Looks whether the file is sound.
    ///
    /// - Throws: `DatabaseError.SQLITE_CORRUPT` if not.
    func check() throws {
        let word = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
        guard word == "ok" else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: word) }
    }

    /// Reads all entries that can be read, from both ends where there is damage in the middle.
    ///
    /// - Throws: GRDB's errors where something else than damage keeps it from reading.
    func contents() throws -> Contents {
        var contents = Contents()
        var seen: Set<Int64> = []
        var found: [OutboxEntry] = []
        for direction in ["ASC", "DESC"] {
            do {
                try queue.read { database in
                    let rows = try Row.fetchCursor(
                        database,
                        sql: "SELECT * FROM entry ORDER BY id \(direction)"
                    )
                    while let row = try rows.next() {
                        guard let id = Int64.fromDatabaseValue(row["id"]), seen.insert(id).inserted else {
                            continue
                        }
                        if let entry = entry(row, id: id) {
                            found.append(entry)
                        } else {
                            contents.damagedCount += 1
                        }
                    }
                }
                break
            } catch let error as DatabaseError where Self.isDamage(error) {
                // Beyond this place the file cannot be read from this end.
                contents.isTorn = true
            }
        }
        contents.entries = found.sorted { $0.id < $1.id }
        return contents
    }

    /// The messages of entries, by id.
    func entries(_ ids: [Int64]) throws -> [Int64: OutboxEntry] {
        var entries: [Int64: OutboxEntry] = [:]
        try queue.read { database in
            for id in ids {
                let row = try Row.fetchOne(database, sql: "SELECT * FROM entry WHERE id = ?", arguments: [id])
                if let row, let entry = entry(row, id: id) { entries[id] = entry }
            }
        }
        return entries
    }

    /// Bytes of the file, without its log.
    func byteCount() throws -> Int64 {
        try queue.read { database in
            let pages = try Int64.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            let free = try Int64.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
            return (pages - free) * Self.pageByteCount
        }
    }

    /// Does all of it, or nothing: on the disk when it returns.
    func write<Result>(_ body: (Transaction) throws -> Result) throws -> Result {
        try queue.write { try body(Transaction(database: $0, time: time)) }
    }

    /// Closes the file.
    func close() throws { try queue.close() }

    /// What can be done in a transaction.
    struct Transaction {
        fileprivate let database: Database
        fileprivate let time: OutboxTime

        /// A new entry. Returns its id.
        func append(_ message: JobMessage, receivedMilliseconds: Int64) throws -> Int64 {
            let row = try StoredRow(message, receivedMilliseconds: receivedMilliseconds, time)
            try database.execute(
                sql:
                    "INSERT INTO entry (boot, monotonic_ms, wall_ms, checksum, message) VALUES (?, ?, ?, ?, ?)",
                arguments: row.arguments
            )
            return database.lastInsertedRowID
        }

        /// An entry of another file, under its old number.
        func restore(_ entry: OutboxEntry) throws {
            let row = try StoredRow(entry.message, receivedMilliseconds: entry.receivedMilliseconds, time)
            try database.execute(
                sql: """
                    INSERT INTO entry (boot, monotonic_ms, wall_ms, checksum, message, id)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: row.arguments + [entry.id]
            )
        }

        /// Another message in the place of an entry's.
        ///
        /// - Throws: `EntryGone` where there is no such entry; the transaction can go on.
        func replace(_ id: Int64, _ message: JobMessage, receivedMilliseconds: Int64) throws {
            let row = try StoredRow(message, receivedMilliseconds: receivedMilliseconds, time)
            try database.execute(
                sql: """
                    UPDATE entry SET boot = ?, monotonic_ms = ?, wall_ms = ?, checksum = ?, message = ?
                    WHERE id = ?
                    """,
                arguments: row.arguments + [id]
            )
            guard database.changesCount == 1 else { throw EntryGone(id: id) }
        }

        /// An entry has done its work.
        func remove(_ id: Int64) throws {
            try database.execute(sql: "DELETE FROM entry WHERE id = ?", arguments: [id])
        }
    }

    /// Whether an error says that the file is damaged, and not that it cannot be used just now.
    static func isDamage(_ error: DatabaseError) -> Bool {
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT: true
        // A log or a file that ends too early.
        case .SQLITE_IOERR: error.extendedResultCode == .SQLITE_IOERR_SHORT_READ
        // A file of that name with other tables in it.
        case .SQLITE_ERROR: true
        default: false
        }
    }

    private func entry(_ row: Row, id: Int64) -> OutboxEntry? {
        guard let boot = String.fromDatabaseValue(row["boot"]),
            let monotonic = Int64.fromDatabaseValue(row["monotonic_ms"]),
            let wall = Int64.fromDatabaseValue(row["wall_ms"]),
            let checksum = Int64.fromDatabaseValue(row["checksum"]),
            let bytes = Data.fromDatabaseValue(row["message"]).map({ [UInt8]($0) }),
            checksum == StoredRow.checksum(boot, monotonic, wall, bytes),
            let batch = try? EnvelopeBatch(decoding: bytes), let envelope = batch.envelopes.first
        else { return nil }
        // Another boot has another monotonic clock; then the wall's time has to do.
        let received =
            boot == time.bootID && !boot.isEmpty
            ? monotonic : time.monotonicMilliseconds() - max(0, time.wallMilliseconds() &- wall)
        return OutboxEntry(id: id, message: envelope.message, receivedMilliseconds: received)
    }
}

/// An entry's columns, with a checksum over all of them: SQLite has none of its own in the file.
private struct StoredRow {
    let arguments: StatementArguments

    init(_ message: JobMessage, receivedMilliseconds: Int64, _ time: OutboxTime) throws {
        let envelope = Envelope(messageID: 0, ageMilliseconds: 0, message: message)
        let bytes = try EnvelopeBatch(sender: [], envelopes: [envelope]).encoded()
        let age = time.monotonicMilliseconds() - receivedMilliseconds
        let wall = time.wallMilliseconds() - age
        let boot = time.bootID
        let checksum = Self.checksum(boot, receivedMilliseconds, wall, bytes)
        arguments = [boot, receivedMilliseconds, wall, checksum, Data(bytes)]
    }

    /// FNV-1a, 64 bits.
    static func checksum(_ boot: String, _ monotonic: Int64, _ wall: Int64, _ bytes: [UInt8]) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        boot.utf8.forEach(add)
        for number in [monotonic, wall] {
            for shift in stride(from: 0, to: 64, by: 8) { add(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        bytes.forEach(add)
        return Int64(bitPattern: hash)
    }
}
