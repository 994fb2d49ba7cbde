import Database
import JobModel
import TestSupport
import Testing
import Threading

@testable import Writer

/// The audit on real tables: ours and a hub's.
@Suite struct AuditTests {
    /// A breach of a rule, made by SQL.
    struct Case: CustomTestStringConvertible {
        var rule: AuditRule
        var id: String
        var sql: String
        /// What holds once it is mended. nil: it cannot be mended.
        var mended: String?

        init(_ rule: AuditRule, _ id: String, _ sql: String, mended: String? = nil) {
            self.rule = rule
            self.id = id
            self.sql = sql
            self.mended = mended
        }

        var testDescription: String { "\(rule.rawValue) of \(id)" }
    }

    private static func job(_ set: String, _ id: String) -> String {
        "UPDATE backup_jobs SET \(set) WHERE id = '\(id)'"
    }

    private static func disk(_ set: String, _ id: String) -> String {
        "UPDATE backup_disks SET \(set) WHERE backup_job_id = '\(id)' AND disk_index = 1"
    }

    private static func event(_ id: String, _ to: String, attempt: Int = 1) -> String {
        """
        INSERT INTO job_events (job_id, attempt, at_ms, from_status, to_status, cause, evidence) \
        VALUES ('\(id)', \(attempt), 1, 'running', '\(to)', 'reported failed', '')
        """
    }

    private static func point(_ id: String, attempt: Int, bytes: Int) -> String {
        "INSERT INTO job_history VALUES ('\(id)', \(attempt), 99999999999999, \(bytes), 0)"
    }

    static let cases: [Case] = [
        Case(.bytes, "done", job("bytes_transferred = 0", "done"), mended: "bytes_transferred = 4000"),
        Case(.bytes, "done", job("bytes_transferred = NULL", "done"), mended: "bytes_transferred = 4000"),
        Case(.bytes, "running", job("bytes_transferred = 7", "running"), mended: "bytes_transferred = 3200"),
        Case(.bytes, "done", job("bytes_transferred = 5000", "done")),
        Case(.total, "done", job("total_bytes = 0", "done"), mended: "total_bytes = 4000"),
        Case(.total, "failed", job("total_bytes = 9000", "failed"), mended: "total_bytes = 4000"),
        Case(.percent, "done", job("progress_percent = 97", "done"), mended: "progress_percent = 100"),
        Case(
            .percent,
            "running",
            job("progress_percent = 103.5", "running"),
            mended: "progress_percent = 80"
        ),
        Case(.percent, "running", job("progress_percent = -1", "running"), mended: "progress_percent = 80"),
        Case(
            .percent,
            "failed",
            job("progress_percent = 82.51", "failed"),
            mended: "progress_percent = 82.5"
        ),
        Case(.completedDisks, "done", disk("status = 'transferring'", "done")),
        Case(
            .openDisks,
            "failed",
            disk("status = 'pending', error_message = NULL", "failed"),
            mended: "(SELECT GROUP_CONCAT(status, ' ', COALESCE(error_message, '')) FROM backup_disks WHERE "
                + "backup_job_id = backup_jobs.id AND disk_index = 1) = 'failed disk 1 is gone'"
        ),
        Case(
            .openDisks,
            "presumed",
            disk("status = 'transferring'", "presumed"),
            mended: "(SELECT MIN(status) FROM backup_disks WHERE backup_job_id = backup_jobs.id) = 'failed'"
        ),
        Case(.diskNumbers, "running", disk("total_bytes = -5", "running")),
        Case(
            .diskPercent,
            "running",
            disk("progress_percent = 55", "running"),
            mended:
                "(SELECT progress_percent FROM backup_disks WHERE backup_job_id = backup_jobs.id AND disk_index = 1) = 20"
        ),
        Case(
            .phase,
            "done",
            job("current_phase = 'finalizing'", "done"),
            mended: "current_phase = 'completed'"
        ),
        Case(.errorText, "done", job("error_message = 'old'", "done"), mended: "error_message IS NULL"),
        Case(
            .errorText,
            "failed",
            job("error_message = ''", "failed"),
            mended: "error_message = 'disk 1 is gone'"
        ),
        Case(.errorText, "stalled", job("error_message = NULL", "stalled")),
        Case(
            .rates,
            "failed",
            job("transfer_speed_bps = 5, eta_seconds = NULL", "failed"),
            mended: "transfer_speed_bps = 0 AND eta_seconds = 0"
        ),
        Case(
            .completedAt,
            "done",
            job("completed_at = NULL", "done"),
            mended:
                "UNIX_TIMESTAMP(completed_at) = (SELECT MIN(at_ms) DIV 1000 FROM job_events WHERE job_id = 'done' "
                + "AND to_status = 'completed')"
        ),
        Case(.completedAt, "running", job("completed_at = NOW()", "running"), mended: "completed_at IS NULL"),
        Case(.presumed, "running", job("presumed = 1", "running"), mended: "presumed = 0"),
        Case(.presumed, "failed", job("presumed = 1", "failed"), mended: "presumed = 0"),
        Case(.presumed, "presumed", job("presumed = 0", "presumed"), mended: "presumed = 1"),
        Case(.attempt, "running", job("attempt = 0", "running") + ";UPDATE job_events SET attempt = 0"),
        Case(.events, "running", event("running", "failed")),
        Case(.events, "running", event("running", "running", attempt: 2)),
        Case(.history, "done", point("done", attempt: 2, bytes: 1)),
        Case(.history, "done", point("done", attempt: 1, bytes: 4001)),
    ]

    @Test(arguments: AuditBench.Hub.allCases)
    func `what the services have stored breaks no rule`(hub: AuditBench.Hub) throws {
        try AuditBench.run(hub) { bench in
            try bench.sendOneOfEachKind()
            if hub == .adopted {
                // The hub's own finished backup has no bytes, the guide's case: it is none of ours.
                try bench.connection.execute("DELETE FROM backup_jobs WHERE id = 'backup-pgtest1-1759900000'")
            }
            let (lines, sum) = try bench.audit()
            #expect(sum.breaches == 0, "\(lines)")
            #expect(sum.jobs - sum.hubsOwn == 7 && sum.hubsOwn == (hub == .ours ? 0 : 1))
            #expect(sum.childRows == (hub == .ours ? 0 : 1))
        }
    }

    @Test(arguments: AuditBench.Hub.allCases)
    func `each rule finds its breach, and a repair mends what the rows prove`(hub: AuditBench.Hub) throws {
        #expect(Set(Self.cases.map(\.rule)) == Set(AuditRule.allCases))
        for item in Self.cases {
            try AuditBench.run(hub) { bench in
                try bench.sendOneOfEachKind()
                try bench.connection.execute("DELETE FROM backup_jobs WHERE id LIKE 'backup-pgtest1-%'")
                for sql in item.sql.split(separator: ";") { try bench.connection.execute(String(sql)) }
                try Self.check(item, bench)
            }
        }
    }

    private static func check(_ item: Case, _ bench: AuditBench) throws {
        let breach = "breach  \(item.id)  \(item.rule.rawValue): stored "
        let before = try bench.connection.query("SELECT * FROM backup_jobs ORDER BY id")
        let (lines, sum) = try bench.audit()
        #expect(lines.contains { $0.hasPrefix(breach) }, "\(item): \(lines)")
        #expect(try bench.connection.query("SELECT * FROM backup_jobs ORDER BY id") == before)
        #expect(sum.left == sum.breaches)
        guard let mended = item.mended else {
            #expect(sum.mendable < sum.breaches && lines.contains { $0.contains("cannot be mended: ") })
            let repaired = try bench.audit(isRepair: true)
            #expect(repaired.lines.contains { $0.hasPrefix(breach) } && repaired.sum.left > 0, "\(item)")
            return
        }
        #expect(sum.breaches == 1 && sum.mendable == 1 && sum.jobsWithBreaches == 1, "\(item): \(lines)")
        let repaired = try bench.audit(isRepair: true)
        #expect(repaired.sum.mended == 1 && repaired.sum.left == 0, "\(item): \(repaired.lines)")
        #expect(repaired.lines.contains { $0.hasPrefix("mended  \(item.id)  \(item.rule.rawValue): was ") })
        #expect(try bench.int("SELECT \(mended) FROM backup_jobs WHERE id = '\(item.id)'") == 1, "\(item)")
        let events = "FROM job_events WHERE cause = 'audit repair'"
        #expect(try bench.int("SELECT COUNT(*) \(events)") == 1)
        #expect(try bench.text("SELECT job_id \(events)") == item.id)
        #expect(try bench.text("SELECT evidence \(events)").hasPrefix("\(item.rule.rawValue): was "))
        #expect(
            try bench.int(
                """
                SELECT from_status = to_status AND attempt = 1 AND to_status = \
                (SELECT BINARY status FROM backup_jobs WHERE id = '\(item.id)') \(events)
                """
            ) == 1
        )
        let again = try bench.audit(isRepair: true)
        #expect(again.sum.breaches == 0 && again.sum.mended == 0, "\(item): \(again.lines)")
        #expect(try bench.int("SELECT COUNT(*) \(events)") == 1)
    }

    @Test func `a repair writes nothing but what is wrong`() throws {
        try AuditBench.run(.ours) { bench in
            try bench.sendOneOfEachKind()
            let read = "SELECT * FROM backup_jobs ORDER BY id"
            let disks = "SELECT * FROM backup_disks ORDER BY backup_job_id, disk_index"
            let before = (try bench.connection.query(read), try bench.connection.query(disks))
            try bench.connection.execute(
                "UPDATE backup_jobs SET bytes_transferred = 1, progress_percent = 1 WHERE status = 'completed'"
            )
            try bench.connection.execute(
                "UPDATE backup_jobs SET presumed = 1 - presumed WHERE status = 'failed'"
            )
            let (_, sum) = try bench.audit(isRepair: true)
            #expect(sum.mended == 4 && sum.left == 0 && sum.jobsWithBreaches == 3)
            #expect(try bench.connection.query(read) == before.0)
            #expect(try bench.connection.query(disks) == before.1)
        }
    }

    @Test func `what speaks against the status keeps what follows from it from being mended`() throws {
        try AuditBench.run(.ours) { bench in
            try bench.sendOneOfEachKind()
            // As if another program had completed a job that failed.
            try bench.connection.execute("UPDATE backup_jobs SET status = 'completed' WHERE id = 'failed'")
            let (lines, sum) = try bench.audit(isRepair: true)
            #expect(sum.mended == 0 && sum.left == 5, "\(lines)")
            for rule in ["completed-disks", "percent", "phase", "error-text", "events"] {
                #expect(lines.contains { $0.hasPrefix("breach  failed  \(rule): ") }, "\(rule)")
            }
            #expect(try bench.int("SELECT COUNT(*) FROM job_events WHERE cause = 'audit repair'") == 0)
        }
    }

    @Test func `a repair that the table does not take is undone and told, and others go on`() throws {
        try AuditBench.run(.ours) { bench in
            try bench.sendOneOfEachKind()
            try bench.connection.execute("UPDATE backup_jobs SET bytes_transferred = 1 WHERE id <> 'quiet'")
            try bench.connection.execute(
                """
                CREATE TRIGGER stubborn BEFORE UPDATE ON backup_jobs FOR EACH ROW BEGIN
                IF NEW.id = 'done' THEN SET NEW.bytes_transferred = 2; END IF;
                IF NEW.id = 'failed' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; END
                """
            )
            let (lines, sum) = try bench.audit(isRepair: true)
            #expect(sum.left == 2 && sum.mended == 4, "\(lines)")
            #expect(
                lines.contains { $0.contains("done  bytes") && $0.contains("a trigger may be in the way") }
            )
            #expect(lines.contains { $0.contains("failed  bytes") && $0.contains("does not take it: no") })
            #expect(
                try bench.int("SELECT SUM(bytes_transferred) FROM backup_jobs WHERE id IN ('done', 'failed')")
                    == 2
            )
            #expect(try bench.int("SELECT COUNT(*) FROM job_events WHERE cause = 'audit repair'") == 4)
        }
    }

    @Test func `rows that somebody holds are left and told`() throws {
        try AuditBench.run(.ours) { bench in
            try bench.sendOneOfEachKind()
            try bench.connection.execute("UPDATE backup_jobs SET bytes_transferred = 1 WHERE id = 'done'")
            let other = try Connection.open(bench.settings)
            try other.begin()
            _ = try other.query("SELECT id FROM backup_disks WHERE backup_job_id = 'done' FOR UPDATE")
            let (lines, sum) = try bench.audit(isRepair: true)
            #expect(
                sum.left == 1 && lines.contains { $0.contains("another transaction holds its rows") },
                "\(lines)"
            )
            try other.rollback()
            #expect(try bench.audit(isRepair: true).sum.left == 0)
        }
    }

    @Test func `what is no breach is listed apart, with how long`() throws {
        try AuditBench.run(.adopted) { bench in
            try bench.sendOneOfEachKind()
            try bench.silence("running", seconds: 90)
            for id in 1...30 { bench.send([try AuditBench.registration("still-\(id)", telemetry: false)]) }
            try bench.connection.execute(
                "UPDATE backup_disks SET bytes_transferred = 0 WHERE disk_change_id <> ''"
            )
            try bench.connection.execute("DELETE FROM job_history")
            try bench.connection.execute(
                "UPDATE backup_jobs SET bytes_transferred = 0 WHERE status = 'completed'"
            )
            let (lines, _) = try bench.audit()
            let text = lines.joined(separator: "\n")
            #expect(
                text.contains("no breach, silent for longer than the thresholds, and not marked yet (1):")
            )
            #expect(text.contains("    running  running, silent for 1 min 3"), "\(text)")
            #expect(
                text.contains("never reported (32):") && text.contains("    and 12 more; --json lists all")
            )
            #expect(text.contains("    backup-pgtest1-1759990000  begun "))
            #expect(text.contains("left alone (1):\n    backup-pgtest1-disk0-20251009-070640  of VM pgtest1"))
            #expect(text.contains("no bytes were ever told (2):"))
        }
    }

    @Test func `an end within the hour that daylight saving repeats is mended to its instant`() throws {
        try AuditBench.run(.ours) { bench in
            try bench.sendOneOfEachKind()
            let change: Int64 = 1_761_440_400
            // A zone whose clocks go back at that instant, made by hand: the machine may have none.
            try bench.connection.execute("INSERT INTO mysql.time_zone (Use_leap_seconds) VALUES ('N')")
            let zone = try bench.int("SELECT LAST_INSERT_ID()")
            for statement in [
                "INSERT INTO mysql.time_zone_name VALUES ('Test/Audit', \(zone))",
                """
                INSERT INTO mysql.time_zone_transition_type VALUES (\(zone), 0, -7200, 1, 'S'), \
                (\(zone), 1, -10800, 0, 'W')
                """,
                "INSERT INTO mysql.time_zone_transition VALUES (\(zone), 0, 0), (\(zone), \(change), 1)",
                "SET time_zone = 'Test/Audit'",
            ] { try bench.connection.execute(statement) }
            let offsets = "SELECT FROM_UNIXTIME(\(change) - 1800) = FROM_UNIXTIME(\(change) + 1800)"
            #expect(try bench.int(offsets) == 1)
            for end in [change - 1800, change + 1800] {
                try bench.connection.execute("UPDATE backup_jobs SET completed_at = NULL WHERE id = 'done'")
                try bench.connection.execute(
                    "UPDATE job_events SET at_ms = \(end)999 WHERE job_id = 'done' AND to_status = 'completed'"
                )
                #expect(try bench.audit(isRepair: true).sum.mended == 1)
                let stored = "SELECT UNIX_TIMESTAMP(completed_at) FROM backup_jobs WHERE id = 'done'"
                #expect(try bench.int(stored) == end)
            }
        }
    }
}
