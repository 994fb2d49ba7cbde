import Database
import StackSupport
import Synchronization
import TestSupport

/// Somebody else in the same database, who is in the writer's way.
final class Rival: Sendable {
    private let isOver = Atomic<Bool>(false)
    private let count = Atomic<Int>(0)
    private let thread = Mutex<ThreadRun<Void>?>(nil)

    /// Starts on a connection of its own; the body is repeated and says how much it has done.
    init(_ site: Site, _ body: @escaping @Sendable (Connection) throws -> Int) {
        let run = ThreadRun { [self] in
            try DatabaseLibrary.withThread {
                let connection = try site.connection()
                while !isOver.load(ordering: .relaxed) { count.add(try body(connection), ordering: .relaxed) }
            }
        }
        thread.withLock { $0 = run }
    }

    /// What it has done up to now.
    var doneCount: Int { count.load(ordering: .relaxed) }

    /// Ends it.
    ///
    /// - Returns: what it has done.
    func stop() throws -> Int {
        isOver.store(true, ordering: .relaxed)
        try thread.withLock { $0 }?.value()
        return doneCount
    }

    /// The services' sessions that are at a statement, with that.
    static func busySessions(_ connection: Connection) throws -> [(id: Int64, statement: String)] {
        try connection.query(
            """
            SELECT ID, COALESCE(INFO, '') FROM information_schema.PROCESSLIST
            WHERE USER = 'lab' AND DB = DATABASE() AND COMMAND IN ('Query', 'Execute')
            """
        ).map { (try $0.int(0), try $0.text(1)) }
    }

    static func isAtCommit(_ connection: Connection) throws -> Bool {
        try busySessions(connection).contains { $0.statement.hasPrefix("COMMIT") }
    }

    /// Ends a session, whatever it is at. Whether it was still there.
    static func cut(_ id: Int64, _ connection: Connection) -> Bool {
        (try? connection.execute("KILL CONNECTION \(id)")) != nil
    }

    /// Locks jobs in an order that is not the writer's: disks first, ids descending.
    ///
    /// - Parameters:
    ///   - jobs: their ids.
    ///   - connection: whose transaction it is.
    ///   - isHeavy: has changed more than the writer, and in a table that no rollback brings back, as the writer has. Of
    ///     two that wait for each other the server gives up the one that has done less.
    /// - Returns: 1 if it was given up.
    /// - Throws: `DatabaseError` for anything else.
    static func lockBackwards(_ jobs: [String], _ connection: Connection, isHeavy: Bool) throws -> Int {
        if isHeavy {
            try connection.execute("CREATE TABLE IF NOT EXISTS ballast (id int PRIMARY KEY) ENGINE=InnoDB")
            try connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS kept (id int) ENGINE=MEMORY")
        }
        do throws(DatabaseError) {
            try connection.transaction { () throws(DatabaseError) in
                if isHeavy {
                    try connection.execute("INSERT INTO kept VALUES (1)")
                    try connection.execute("DELETE FROM kept")
                    try connection.execute("DELETE FROM ballast")
                    try connection.execute("INSERT INTO ballast SELECT seq FROM seq_1_to_500")
                }
                for job in jobs.sorted(by: >) {
                    for table in ["backup_disks WHERE backup_job_id", "backup_jobs WHERE id"] {
                        _ = try connection.query("SELECT 1 FROM \(table) = '\(job)' FOR UPDATE")
                    }
                }
            }
            return 0
        } catch {
            guard error.kind == .retry else { throw error }
            return 1
        }
    }
}

/// A few of many, again and again.
final class Picks: Sendable {
    private let all: [String]
    private let generator: Mutex<SplitMix64>

    init(_ all: [String], seed: UInt64) {
        self.all = all
        generator = Mutex(SplitMix64(seed: seed))
    }

    func next(_ count: Int) -> [String] {
        generator.withLock { generator in Array(all.shuffled(using: &generator).prefix(count)) }
    }
}
