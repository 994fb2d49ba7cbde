import Database
import DatabaseKit
import JobModel
import Logging
import ServiceKit
import TestSupport
import Testing
import Threading

@testable import Writer

/// The committer against a real server.
@Suite struct CommitterTests {
    private func registration(
        _ id: String,
        vm: String = "vm",
        totals: [Int64?] = [1000],
        age: Int64 = 0,
        waited: Int64 = 0
    ) throws -> LaneItem {
        let jobID = try #require(JobID(id))
        return item(
            waited: waited,
            .registration(
                Registration(
                    jobID: jobID,
                    vmName: vm,
                    backupType: .full,
                    disks: totals.enumerated().map { RegisteredDisk(index: Int32($0), total: $1) },
                    announcesTelemetry: true,
                    ageMilliseconds: age
                )
            )
        )
    }

    private func completion(
        _ id: String,
        disk: Int32 = 0,
        change: String = "c",
        age: Int64 = 0
    ) throws -> LaneItem {
        let jobID = try #require(JobID(id))
        return item(
            .completion(
                DiskCompletion(
                    jobID: jobID,
                    diskIndex: disk,
                    changeID: change,
                    bytes: 0,
                    ageMilliseconds: age
                )
            )
        )
    }

    private func item(waited: Int64 = 0, _ message: JobMessage) -> LaneItem {
        LaneItem(
            sender: [1],
            messageID: 1,
            message: message,
            receivedMilliseconds: MonotonicClock.nowMilliseconds - waited
        )
    }

    /// Runs the body on a thread of its own, with a migrated database, a committer and a connection to look with.
    private func withCommitter(
        _ body: @escaping @Sendable (Committer, Connection) throws -> Void
    ) throws {
        let server = try PrivateMariaDB.shared(timeZone: "-03:00")
        let settings = try server.createDatabase()
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                try Migrator(settings, owner: "test").run()
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                let session = Session(settings, part: "test", health: Health(waitingFor: []), logger: logger)
                try body(Committer(session, logger: logger), try Connection.open(settings))
            }
        }.value()
    }

    @Test func `a poisoned message is rejected alone, the others are stored`() throws {
        try withCommitter { committer, connection in
            // The trigger stands for whatever a database may refuse.
            try connection.execute(
                """
                CREATE TRIGGER poison BEFORE INSERT ON backup_jobs FOR EACH ROW
                IF NEW.vm_name = 'poison' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poison'; END IF
                """
            )
            var items = try (0..<64).map { try registration("job-\($0)") }
            items[37] = try registration("job-37", vm: "poison")
            let answers = committer.commit(items)
            #expect(answers.enumerated().allSatisfy { $1.verdict == ($0 == 37 ? .rejected : .created) })
            let count = try connection.query("SELECT COUNT(*) FROM backup_jobs").first?.int(0)
            #expect(count == 63)
        }
    }

    @Test func `what is read back is what was stored`() throws {
        try withCommitter { committer, connection in
            let verdicts = committer.commit([
                try registration("job-a", totals: [1000, nil, (1 << 30) + 1]), try completion("job-a"),
                try completion("job-a", disk: 9), try completion("nowhere"),
            ]).map(\.verdict)
            #expect(verdicts == [.created, .applied, .unknownDisk, .unknownJob])
            let id = try #require(JobID("job-a"))
            let job = try connection.transaction { () throws(DatabaseError) in
                try JobStore(connection).lock([id]).jobs[id]
            }
            #expect(job?.disks.map(\.status) == [.completed, .pending, .pending])
            #expect(job?.disks.map(\.total) == [1000, nil, 1_073_741_825])
            #expect(job?.bytes == 1000 && job?.hasTelemetry == true)
            let sizes = try connection.query("SELECT size_gb FROM backup_disks ORDER BY disk_index").map {
                try $0.int(0)
            }
            #expect(sizes == [1, 0, 2])
            let events = try connection.query("SELECT cause FROM job_events ORDER BY id").map {
                try $0.text(0)
            }
            #expect(events == ["registered", "bytes presumed"])
        }
    }

    @Test func `a session that cannot come back to the present is given up, and stamps nothing else`() throws
    {
        let server = try PrivateMariaDB.shared(timeZone: "-03:00")
        let settings = try server.createDatabase()
        let relay = try StatementRelay(before: settings, spoiling: "SET timestamp = DEFAULT")
        defer { relay.stop() }
        let late = try registration("late", age: 3_600_000)
        let plain = try registration("plain")
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                try Migrator(settings, owner: "test").run()
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                let health = Health(waitingFor: [])
                let session = Session(relay.settings, part: "test", health: health, logger: logger)
                let committer = Committer(session, logger: logger)
                #expect(committer.commit([late]).map(\.verdict) == [.unavailable])
                relay.heal()
                // A database that has just failed is not tried again at once.
                Pause.milliseconds(600)
                #expect(committer.commit([plain]).map(\.verdict) == [.created])
                let ages = try Connection.open(settings).query(
                    """
                    SELECT UNIX_TIMESTAMP() - UNIX_TIMESTAMP(started_at),
                      CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) - last_contact_ms FROM backup_jobs
                    """
                )
                #expect(try ages.count == 1 && ages[0].int(0) < 60 && ages[0].int(1) < 60_000, "\(ages)")
            }
        }.value()
    }

    @Test func `what comes late is stamped with when it was, and only there`() throws {
        try withCommitter { committer, connection in
            let start = MonotonicClock.nowMilliseconds
            let hour: Int64 = 3_600_000
            _ = committer.commit([
                try registration("late", totals: [10, 10], age: 2 * hour, waited: 60_000),
                try registration("plain"), try registration("erring", age: 10_000),
            ])
            _ = committer.commit([
                try completion("late", disk: 0, age: hour), try completion("late", disk: 1, age: hour / 2),
                try completion("plain"), try completion("erring", age: hour),
            ])
            _ = committer.commit([try registration("after")])
            func ages(_ table: String, _ column: String, _ rest: String) throws -> [Int64] {
                try connection.query(
                    "SELECT UNIX_TIMESTAMP() - UNIX_TIMESTAMP(\(column)) FROM \(table) \(rest)"
                ).map { try $0.int(0) }
            }
            let jobs = "WHERE id IN ('late', 'plain', 'erring', 'after') ORDER BY id DESC"
            let started = try ages("backup_jobs", "started_at", jobs)
            let completed = try ages("backup_jobs", "completed_at", "WHERE id <> 'after' ORDER BY id DESC")
            let disks = try ages(
                "backup_disks",
                "completed_at",
                "WHERE backup_job_id = 'late' ORDER BY disk_index"
            )
            let contacts = try connection.query(
                "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) - last_contact_ms FROM backup_jobs ORDER BY id DESC"
            ).map { try $0.int(0) }
            let late = (MonotonicClock.nowMilliseconds - start) / 1000 + 1
            func isAbout(_ seconds: [Int64], _ expected: [Int64]) -> Bool {
                seconds.count == expected.count
                    && zip(seconds, expected).allSatisfy { ($1...$1 + late).contains($0) }
            }
            #expect(isAbout(started, [0, 7260, 10, 0]), "\(started)")
            // Nothing ends before it began.
            #expect(isAbout(completed, [0, 1800, 10]), "\(completed)")
            #expect(isAbout(disks, [3600, 1800]), "\(disks)")
            // A sign of life is when it comes in; what had waited in a queue came in before.
            #expect(isAbout(contacts.map { $0 / 1000 }, [0, 0, 0, 0]), "\(contacts)")
        }
    }

    @Test func `what comes late has the second in which it was, whatever part of one its age has`() throws {
        try withCommitter { committer, connection in
            func clock() throws -> Int64 {
                try connection.query("SELECT \(ServerClock.milliseconds)")[0].int(0)
            }
            let ages = (0..<40).map { 5000 + Int64($0) * 25 }
            let before = try clock()
            let items = try ages.map { try registration("job-\($0)", age: $0) }
            #expect(committer.commit(items).allSatisfy { $0.verdict == .created })
            let after = try clock()
            let rows = try connection.query("SELECT id, UNIX_TIMESTAMP(started_at) FROM backup_jobs")
            #expect(rows.count == ages.count)
            for row in rows {
                let age = try #require(Int64(try row.text(0).dropFirst("job-".count)))
                let second = try row.int(1)
                #expect(((before - age) / 1000...(after - age) / 1000).contains(second), "\(age) \(before)")
            }
        }
    }

    @Test(arguments: ["paused", "", nil] as [String?])
    func `a status of the hub's own is told by column and word, and its row stays as it is`(
        word: String?
    ) throws {
        try withCommitter { committer, connection in
            _ = committer.commit([try registration("job-a"), try registration("job-b")])
            try connection.execute("ALTER TABLE backup_jobs MODIFY status VARCHAR(20) NULL")
            let told = word.map { "'\($0)'" } ?? "NULL"
            try connection.execute("UPDATE backup_jobs SET status = \(told) WHERE id = 'job-a'")
            let row = "SELECT * FROM backup_jobs WHERE id = 'job-a'"
            let before = try connection.query(row)
            let id = try #require(JobID("job-a"))
            let answers = committer.commit([
                try completion("job-a"), item(.cancel(CancelRequest(jobID: id))), try registration("job-a"),
                try completion("job-b"),
            ])
            #expect(answers.map(\.verdict) == [.rejected, .rejected, .rejected, .applied])
            let fact = "\(word.map { "\"\($0)\"" } ?? "NULL") in backup_jobs.status"
            #expect(answers.prefix(3).allSatisfy { $0.detail.contains(fact) }, "\(answers[0])")
            #expect(answers[0].detail.contains("running, stalled"))
            #expect(try connection.query(row) == before)

            try connection.execute("UPDATE backup_jobs SET status = 'running' WHERE id = 'job-a'")
            #expect(committer.commit([try completion("job-a")]).map(\.verdict) == [.applied])
        }
    }

    @Test func `words count whatever their case, and blanks behind them do not`() throws {
        try withCommitter { committer, connection in
            _ = committer.commit([try registration("job-a", totals: [1000, 1000])])
            try connection.execute(
                "ALTER TABLE backup_jobs MODIFY status VARCHAR(20), MODIFY backup_type VARCHAR(20)"
            )
            try connection.execute("ALTER TABLE backup_disks MODIFY status VARCHAR(20)")
            try connection.execute("UPDATE backup_jobs SET status = 'RUNNING ', backup_type = 'Full'")
            try connection.execute("UPDATE backup_disks SET status = 'Completed' WHERE disk_index = 0")
            let answers = committer.commit([try completion("job-a", disk: 1)])
            #expect(answers.map(\.verdict) == [.applied] && answers[0].jobStatus == .completed)
            #expect(try connection.query("SELECT status FROM backup_jobs")[0].text(0) == "completed")
        }
    }

    @Test func `ids that differ in case only are two jobs`() throws {
        try withCommitter { committer, _ in
            let verdicts = committer.commit([try registration("job-a"), try registration("JOB-A")]).map(
                \.verdict
            )
            #expect(verdicts == [.created, .created])
        }
    }

    @Test func `a contact is stamped by the server's clock, in its zone and as an instant`() throws {
        try withCommitter { committer, connection in
            _ = committer.commit([try registration("job-a")])
            let row = try #require(
                try connection.query(
                    """
                    SELECT ABS(TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW())) < 5,
                      ABS(last_contact_ms - UNIX_TIMESTAMP() * 1000) < 5000 FROM backup_jobs
                    """
                ).first
            )
            #expect(try row.int(0) == 1)
            #expect(try row.int(1) == 1)
        }
    }

    @Test func `a repeated batch stores nothing twice`() throws {
        try withCommitter { committer, connection in
            let items = [try registration("job-a"), try completion("job-a")]
            _ = committer.commit(items)
            let again = committer.commit(items).map(\.verdict)
            #expect(again == [.repeated, .repeated])
            #expect(try connection.query("SELECT COUNT(*) FROM job_events").first?.int(0) == 3)
            let stamps = "SELECT completed_at IS NOT NULL, error_message IS NULL FROM backup_jobs"
            let row = try #require(try connection.query(stamps).first)
            #expect(try row.int(0) == 1, "a job that begins and ends in one batch has its end")
        }
    }

    @Test(arguments: ["backup_jobs WHERE id = 'job-3'", "backup_disks WHERE backup_job_id = 'job-3'"])
    func `a row that another transaction holds is waited for once, and holds up no other job`(
        rows: String
    ) throws {
        try withCommitter { committer, connection in
            _ = committer.commit(try (0..<8).map { try registration("job-\($0)", totals: [1000, 1000]) })
            try connection.execute("BEGIN")
            _ = try connection.query("SELECT 1 FROM \(rows) FOR UPDATE")
            for round in 0..<3 {
                let start = ContinuousClock.now
                let answers = committer.commit(
                    try (0..<8).map { try completion("job-\($0)", change: "c\(round)") }
                )
                let verdicts = answers.map(\.verdict)
                #expect(verdicts == (0..<8).map { $0 == 3 ? .held : .applied }, "round \(round)")
                // Once it is known to be held, nobody waits for it.
                #expect(ContinuousClock.now - start < (round == 0 ? .milliseconds(2500) : .milliseconds(600)))
            }
            try connection.execute("COMMIT")
            let done = committer.commit([try completion("job-3")])
            #expect(done.map(\.verdict) == [.applied])
            #expect(done.first?.jobStatus == .running)
        }
    }

    @Test func `a presumed failure that is taken back and reported in one batch ends when it is reported`()
        throws
    {
        try withCommitter { committer, connection in
            _ = committer.commit([try registration("job-a")])
            try connection.execute(
                """
                UPDATE backup_jobs SET status = 'failed', presumed = 1, error_message = 'presumed',
                  completed_at = NOW() - INTERVAL 1 HOUR
                """
            )
            let id = try #require(JobID("job-a"))
            func report(_ seq: Int64, _ status: ReportedStatus) -> LaneItem {
                item(
                    .report(
                        Report(
                            jobID: id,
                            status: status,
                            phase: "transferring",
                            bytes: seq,
                            total: 1000,
                            attempt: 1,
                            seq: seq
                        )
                    )
                )
            }
            let answers = committer.commit([report(1, .running), report(2, .failed)])
            #expect(answers.map(\.verdict) == [.applied, .applied])
            let row = try #require(
                try connection.query(
                    "SELECT status, presumed, completed_at >= NOW() - INTERVAL 1 MINUTE FROM backup_jobs"
                ).first
            )
            #expect(try row.text(0) == "failed" && row.int(1) == 0 && row.int(2) == 1)
        }
    }

    @Test func `under pressure what is only a sign of life is left out, and all else is stored`() throws {
        try withCommitter { committer, connection in
            _ = committer.commit(try ["job-a", "job-b"].map { try registration($0) })
            func report(_ id: String, _ seq: Int64) throws -> LaneItem {
                item(
                    .report(
                        Report(
                            jobID: try #require(JobID(id)),
                            status: .running,
                            phase: "transferring",
                            bytes: seq,
                            total: 1000,
                            attempt: 1,
                            seq: seq
                        )
                    )
                )
            }
            _ = committer.commit([try report("job-a", 5), try report("job-b", 5)])
            try connection.execute("UPDATE backup_jobs SET last_contact_ms = 1")
            let pressed = committer.commit([try report("job-a", 4), try report("job-b", 6)], isPressed: true)
            #expect(pressed.map(\.verdict) == [.superseded, .applied])
            func contacts() throws -> [Int64] {
                try connection.query("SELECT last_contact_ms FROM backup_jobs ORDER BY id").map {
                    try $0.int(0)
                }
            }
            #expect(try contacts()[0] == 1 && contacts()[1] > 1)
            #expect(committer.commit([try report("job-a", 4)]).map(\.verdict) == [.superseded])
            #expect(try contacts()[0] > 1)
        }
    }

    @Test func `a row that another transaction is about to make is waited for once`() throws {
        try withCommitter { committer, connection in
            _ = committer.commit([try registration("job-a", totals: [1000, 1000])])
            try connection.execute("BEGIN")
            try connection.execute(
                "INSERT INTO backup_jobs (id, vm_name, backup_type) VALUES ('job-new', 'vm', 'full')"
            )
            for round in 0..<2 {
                let start = ContinuousClock.now
                let items = [try registration("job-new"), try completion("job-a", change: "c\(round)")]
                #expect(committer.commit(items).map(\.verdict) == [.held, .applied], "round \(round)")
                #expect(ContinuousClock.now - start < (round == 0 ? .milliseconds(2500) : .milliseconds(600)))
            }
            try connection.execute("ROLLBACK")
            #expect(committer.commit([try registration("job-new")]).map(\.verdict) == [.created])
        }
    }

    @Test func `a row whose status is none of ours is not taken for a held one`() throws {
        try withCommitter { committer, connection in
            _ = committer.commit(try ["job-a", "job-b"].map { try registration($0) })
            try connection.execute("ALTER TABLE backup_jobs MODIFY status varchar(16) NOT NULL")
            try connection.execute("UPDATE backup_jobs SET status = 'paused' WHERE id = 'job-a'")
            try connection.execute("BEGIN")
            _ = try connection.query("SELECT 1 FROM backup_jobs WHERE id = 'job-b' FOR UPDATE")
            let answers = committer.commit([try completion("job-a"), try completion("job-b")])
            #expect(answers.map(\.verdict) == [.rejected, .held])
        }
    }
}
