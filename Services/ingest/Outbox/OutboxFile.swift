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
    }

    private static let pageByteCount: Int64 = 4096

    /// Where the file is.
    let path: String
    private let queue: DatabaseQueue

    /// Opens a file, and makes it where there is none.
    ///
    /// - Parameters:
    ///   - path: where it is.
    ///   - byteCountMax: the most bytes it may have.
    /// - Throws: GRDB's errors; `DatabaseError.SQLITE_CORRUPT` and `SQLITE_NOTADB` where it is damaged,
    ///   `SQLITE_BUSY` where another process has it.
    init(path: String, byteCountMax: Int64) throws {
        self.path = path
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

    /// Looks whether the file is sound.
    ///
    /// - Throws: `DatabaseError.SQLITE_CORRUPT` if not.
    func check() throws {
        let word = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
        guard word == "ok" else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: word) }
    }

    /// Reads all entries that can be read, from both ends where there is damage in the middle.
    func contents() -> Contents {
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
                        if let entry = Self.entry(row, id: id) {
                            found.append(entry)
                        } else {
                            contents.damagedCount += 1
                        }
                    }
                }
                break
            } catch {
                // Beyond this place the file cannot be read from this end.
                continue
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
                if let row, let entry = Self.entry(row, id: id) { entries[id] = entry }
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
        try queue.write { try body(Transaction(database: $0)) }
    }

    /// Closes the file.
    func close() throws { try queue.close() }

    /// What can be done in a transaction.
    struct Transaction {
        fileprivate let database: Database

        /// A new entry. Returns its id.
        func append(_ message: JobMessage, receivedMilliseconds: Int64) throws -> Int64 {
            let row = try StoredRow(message, receivedMilliseconds: receivedMilliseconds)
            try database.execute(
                sql:
                    "INSERT INTO entry (boot, monotonic_ms, wall_ms, checksum, message) VALUES (?, ?, ?, ?, ?)",
                arguments: row.arguments
            )
            return database.lastInsertedRowID
        }

        /// An entry of another file, under its old number.
        func restore(_ entry: OutboxEntry) throws {
            let row = try StoredRow(entry.message, receivedMilliseconds: entry.receivedMilliseconds)
            try database.execute(
                sql: """
                    INSERT INTO entry (boot, monotonic_ms, wall_ms, checksum, message, id)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: row.arguments + [entry.id]
            )
        }

        /// Another message in the place of an entry's.
        func replace(_ id: Int64, _ message: JobMessage, receivedMilliseconds: Int64) throws {
            let row = try StoredRow(message, receivedMilliseconds: receivedMilliseconds)
            try database.execute(
                sql: """
                    UPDATE entry SET boot = ?, monotonic_ms = ?, wall_ms = ?, checksum = ?, message = ?
                    WHERE id = ?
                    """,
                arguments: row.arguments + [id]
            )
        }

        /// An entry has done its work.
        func remove(_ id: Int64) throws {
            try database.execute(sql: "DELETE FROM entry WHERE id = ?", arguments: [id])
        }
    }

    private static func entry(_ row: Row, id: Int64) -> OutboxEntry? {
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
            boot == BootID.current
            ? monotonic
            : MonotonicClock.nowMilliseconds - max(0, WallClock.nowMilliseconds &- wall)
        return OutboxEntry(id: id, message: envelope.message, receivedMilliseconds: received)
    }
}

/// An entry's columns, with a checksum over all of them: SQLite has none of its own in the file.
private struct StoredRow {
    let arguments: StatementArguments

    init(_ message: JobMessage, receivedMilliseconds: Int64) throws {
        let envelope = Envelope(messageID: 0, ageMilliseconds: 0, message: message)
        let bytes = try EnvelopeBatch(sender: [], envelopes: [envelope]).encoded()
        let age = MonotonicClock.nowMilliseconds - receivedMilliseconds
        let wall = WallClock.nowMilliseconds - age
        let boot = BootID.current
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
