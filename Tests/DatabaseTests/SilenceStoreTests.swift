import Database
import JobModel
import TestSupport
import Testing

/// What the stale-detector finds and marks, on a real server.
@Suite struct SilenceStoreTests {
    private static let id = "backup-vm-1760000000"
    private static let evidence = SilenceEvidence(silenceMilliseconds: 61_000, pathUpSinceMilliseconds: 0)

    /// Runs the body with a migrated database that holds one running job of two disks, one of them completed.
    private func withJob(
        silentSeconds: Int64,
        _ body: @escaping @Sendable (Connection, StaleRule) throws -> Void
    ) throws {
        let settings = try PrivateMariaDB.shared(timeZone: "-03:00").createDatabase()
        let rule = try #require(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300))
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                try Migrator(settings, owner: "test").run()
                let connection = try Connection.open(settings)
                try connection.prepare(
                    """
                    INSERT INTO backup_jobs (id, vm_name, backup_type, status, last_telemetry_at, last_contact_ms)
                    VALUES (?, 'vm', 'full', 'running', NOW() - INTERVAL ? SECOND,
                      \(ServerClock.milliseconds) - ? * 1000)
                    """
                ).execute([.text(Self.id), .int(silentSeconds), .int(silentSeconds)])
                try connection.execute(
                    """
                    INSERT INTO backup_disks (backup_job_id, disk_index, status)
                    VALUES ('\(Self.id)', 0, 'completed'), ('\(Self.id)', 1, 'transferring')
                    """
                )
                try body(connection, rule)
            }
        }.value()
    }

    @Test func `a silent job is found and marked, with an event`() throws {
        try withJob(silentSeconds: 61) { connection, rule in
            let store = SilenceStore(connection)
            let job = try #require(try store.silentJobs(status: .running, forSeconds: 60).first)
            #expect(job.id.rawValue == Self.id && job.readMilliseconds - job.contactMilliseconds >= 61_000)
            #expect(try store.mark(job, as: .stall, Self.evidence, by: rule))
            let row = try #require(
                try connection.query("SELECT status, error_message, completed_at IS NULL FROM backup_jobs")
                    .first
            )
            #expect(try row.text(0) == "stalled")
            #expect(try row.text(1) == "Job stalled due to no telemetry updates for 60s")
            #expect(try row.int(2) == 1)
            let event = try #require(
                try connection.query("SELECT from_status, to_status FROM job_events").first
            )
            #expect(try [event.text(0), event.text(1)] == ["running", "stalled"])
        }
    }

    @Test func `a presumed failure has its end, and spares completed disks`() throws {
        try withJob(silentSeconds: 301) { connection, rule in
            let store = SilenceStore(connection)
            let job = try #require(try store.silentJobs(status: .running, forSeconds: 60).first)
            #expect(try store.mark(job, as: .fail, Self.evidence, by: rule))
            let row = try #require(
                try connection.query("SELECT status, presumed, completed_at IS NOT NULL FROM backup_jobs")
                    .first
            )
            #expect(try row.text(0) == "failed")
            #expect(try row.int(1) == 1)
            #expect(try row.int(2) == 1)
            let disks = try connection.query("SELECT status FROM backup_disks ORDER BY disk_index")
            #expect(try disks.map { try $0.text(0) } == ["completed", "failed"])
        }
    }

    @Test func `a job that reports between the look and the mark is left alone`() throws {
        try withJob(silentSeconds: 301) { connection, rule in
            let store = SilenceStore(connection)
            let job = try #require(try store.silentJobs(status: .running, forSeconds: 60).first)
            try connection.execute(
                "UPDATE backup_jobs SET last_telemetry_at = NOW(), last_contact_ms = \(ServerClock.milliseconds)"
            )
            #expect(try !store.mark(job, as: .fail, Self.evidence, by: rule))
            #expect(try connection.query("SELECT status FROM backup_jobs").first?.text(0) == "running")
            #expect(try connection.query("SELECT COUNT(*) FROM job_events").first?.int(0) == 0)
        }
    }

    @Test func `two detectors mark a job once`() throws {
        try withJob(silentSeconds: 61) { connection, rule in
            let store = SilenceStore(connection)
            let job = try #require(try store.silentJobs(status: .running, forSeconds: 60).first)
            #expect(try store.mark(job, as: .stall, Self.evidence, by: rule))
            #expect(try !store.mark(job, as: .stall, Self.evidence, by: rule))
            #expect(try connection.query("SELECT COUNT(*) FROM job_events").first?.int(0) == 1)
        }
    }

    @Test func `many are marked in one transaction, but for those that have moved since`() throws {
        try withJob(silentSeconds: 301) { connection, rule in
            try connection.execute(
                """
                INSERT INTO backup_jobs (id, vm_name, backup_type, status, last_telemetry_at, last_contact_ms, attempt)
                SELECT CONCAT('job-', seq), 'vm', 'full', IF(seq % 2, 'running', 'stalled'),
                  NOW() - INTERVAL 301 SECOND, IF(seq % 3, \(ServerClock.milliseconds) - 301000, NULL), 1
                FROM seq_1_to_60
                """
            )
            let store = SilenceStore(connection)
            let jobs =
                try store.silentJobs(status: .running, forSeconds: 300)
                + store.silentJobs(status: .stalled, forSeconds: 300)
            #expect(jobs.count == 61)
            try connection.execute(
                "UPDATE backup_jobs SET last_contact_ms = last_contact_ms + 1 WHERE id = 'job-1'"
            )
            try connection.execute("UPDATE backup_jobs SET attempt = 2 WHERE id = 'job-2'")
            try connection.execute("UPDATE backup_jobs SET last_telemetry_at = NOW() WHERE id = 'job-3'")
            try connection.execute("UPDATE backup_jobs SET status = 'stalled' WHERE id = 'job-5'")
            try connection.execute("DELETE FROM backup_jobs WHERE id = 'job-7'")
            let marks = jobs.map { job in
                SilenceMark(job: job, mark: job.status == .running ? .stall : .fail, evidence: Self.evidence)
            }
            let marked = try store.mark(marks, by: rule)
            let moved = Set([1, 2, 3, 5, 7].map { "job-\($0)" })
            #expect(Set(jobs.map(\.id.rawValue)).subtracting(marked.map(\.rawValue)) == moved)
            let rows = try connection.query(
                """
                SELECT e.from_status, e.to_status, COUNT(*), SUM(j.status = e.to_status),
                  SUM(j.completed_at IS NOT NULL), SUM(j.presumed)
                FROM job_events e JOIN backup_jobs j ON j.id = e.job_id GROUP BY 1, 2 ORDER BY 1
                """
            )
            #expect(
                try rows.map { try $0.text(0) + " " + $0.text(1) } == ["running stalled", "stalled failed"]
            )
            #expect(try rows.map { try (2...5).map($0.int) } == [[27, 27, 0, 0], [29, 29, 29, 29]])
            let disks = try connection.query("SELECT status FROM backup_disks ORDER BY disk_index")
            #expect(try disks.map { try $0.text(0) } == ["completed", "transferring"])
        }
    }

    @Test func `a stepped wall clock proposes but the instant decides`() throws {
        try withJob(silentSeconds: 5) { connection, rule in
            // As after the hour that a daylight saving change repeats, or skips.
            for offset in ["+ INTERVAL 1 HOUR", "- INTERVAL 1 HOUR"] {
                try connection.execute("UPDATE backup_jobs SET last_telemetry_at = NOW() \(offset)")
                let job = try #require(
                    try SilenceStore(connection).silentJobs(status: .running, forSeconds: 60).first
                )
                let silence = job.readMilliseconds - job.contactMilliseconds
                #expect(rule.mark(status: job.status, silenceMilliseconds: silence) == nil)
            }
        }
    }

    @Test func `a job that never reported is never proposed`() throws {
        try withJob(silentSeconds: 301) { connection, _ in
            try connection.execute("UPDATE backup_jobs SET last_telemetry_at = NULL, last_contact_ms = NULL")
            #expect(try SilenceStore(connection).silentJobs(status: .running, forSeconds: 60).isEmpty)
        }
    }

    @Test(arguments: ["backup_jobs", "backup_disks"])
    func `a row that another transaction holds is told at once, and marked once it is free`(
        table: String
    ) throws {
        let settings = try PrivateMariaDB.shared(timeZone: "-03:00").createDatabase()
        let rule = try #require(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300))
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                try Migrator(settings, owner: "test").run()
                let connection = try Connection.open(settings)
                let rival = try Connection.open(settings)
                try connection.execute(
                    """
                    INSERT INTO backup_jobs (id, vm_name, backup_type, status, last_telemetry_at)
                    VALUES ('\(Self.id)', 'vm', 'full', 'running', NOW() - INTERVAL 61 SECOND)
                    """
                )
                try connection.execute(
                    "INSERT INTO backup_disks (backup_job_id, disk_index) VALUES ('\(Self.id)', 0)"
                )
                let store = SilenceStore(connection)
                let job = try #require(try store.silentJobs(status: .running, forSeconds: 60).first)
                try rival.execute("BEGIN")
                _ = try rival.query("SELECT 1 FROM \(table) FOR UPDATE")
                let start = ContinuousClock.now
                let error = #expect(throws: DatabaseError.self) {
                    try store.mark(job, as: .stall, Self.evidence, by: rule)
                }
                #expect(error?.kind == .retry)
                #expect(throws: DatabaseError.self) { try store.probe([job]) }
                #expect(ContinuousClock.now - start < .milliseconds(500), "nobody waits for the other")
                try rival.execute("ROLLBACK")
                try store.probe([job])
                #expect(try store.mark(job, as: .stall, Self.evidence, by: rule))
            }
        }.value()
    }
}
