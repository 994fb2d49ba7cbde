import Database
import DatabaseKit
import Dispatch
import JobModel
import TestSupport
import Testing
import Threading

@testable import Writer

/// The server may end a transaction of plain progress, whose statements are sent together, in the middle of it.
@Suite struct DeadlockTests {
    /// Two jobs end while progress of three waits for them. What is behind the UPDATE that is given up runs outside of
    /// the transaction: nothing would take it back.
    @Test func `progress that the server gives up leaves no disk of a job that ended meanwhile`() throws {
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                let twin = try Twin(isAdopted: false, mayJoin: true)
                var script = TwinScript(jobCount: 3)
                var second: Int64 = 1_760_000_000
                for batch in [script.registrations(), script.progress(), script.progress()] {
                    second += 4
                    _ = try twin.commit(batch, atSecond: second)
                }
                #expect(twin.committer.store.tally.fastMessages == 3)
                let disks = try endedDisks(twin)
                let deadlockCount = try deadlockCount(twin.connection)
                let end = try endJobs(twin)
                let answers = try twin.commit(script.progress(), atSecond: second + 4)
                try end.value()
                // Whether the repeat finds the jobs' rows held or the jobs ended is a matter of time.
                let isLeft = answers.map { [.held, .terminal].contains($0.verdict) }
                #expect(isLeft == [true, false, true], "\(answers)")
                #expect(try Twin.difference([disks], [endedDisks(twin)]) == nil)
                #expect(try self.deadlockCount(twin.connection) > deadlockCount)
            }
        }.value()
    }

    /// The disks of the jobs that end.
    private func endedDisks(_ twin: Twin) throws -> [Row] {
        try twin.rows()[1].filter { try $0.text(0) != "job-1" }
    }

    /// Ends two jobs in a transaction that holds the last of three from the start, and takes the first when the
    /// writer's waits. It is as that one, which has rows in a table that no rollback brings back, and has changed
    /// more rows, so the writer's is given up.
    private func endJobs(_ twin: Twin) throws -> ThreadRun<Void> {
        let settings = twin.settings
        let writerSession = try #require(twin.session.connection()).sessionID
        try twin.connection.execute("CREATE TABLE ballast (id int PRIMARY KEY) ENGINE=InnoDB")
        let holds = DispatchSemaphore(value: 0)
        let end = ThreadRun {
            defer { holds.signal() }
            let connection = try Connection.open(settings)
            let cancel = try connection.prepare("UPDATE backup_jobs SET status = 'cancelled' WHERE id = ?")
            try connection.execute("CREATE TEMPORARY TABLE kept (id int) ENGINE=MEMORY")
            try connection.begin()
            try connection.execute("INSERT INTO kept VALUES (1)")
            try connection.execute("INSERT INTO ballast SELECT seq FROM seq_1_to_2000")
            try cancel.execute([.text("job-2")])
            holds.signal()
            try Self.wait(for: writerSession, Connection.open(settings))
            try cancel.execute([.text("job-0")])
            try connection.commit()
        }
        holds.wait()
        return end
    }

    /// Waits until the session waits for a lock, which it does for a second.
    private static func wait(for session: UInt, _ connection: Connection) throws {
        let end = ContinuousClock.now + .seconds(10)
        let waiter = try connection.prepare(
            """
            SELECT 1 FROM information_schema.innodb_trx
            WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id = ?
            """
        )
        while try waiter.query([.int(Int64(session))]).isEmpty {
            guard ContinuousClock.now < end else { throw TestSupportError("nobody waits for the jobs") }
            // The table is read anew after 100 ms in which nobody has asked.
            Pause.milliseconds(120)
        }
    }

    private func deadlockCount(_ connection: Connection) throws -> Int64 {
        let rows = try connection.query(
            """
            SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status
            WHERE variable_name = 'Innodb_deadlocks'
            """
        )
        return try #require(rows.first).int(0)
    }
}
