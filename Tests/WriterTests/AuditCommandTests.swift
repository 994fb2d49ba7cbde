import Database
import Foundation
import JobModel
import TestSupport
import Testing

@testable import Writer

/// `audit` and `explain` as an operator runs them.
@Suite struct AuditCommandTests {
    /// The guide's query: completed jobs whose bytes are not the sum of their disks'.
    private static let wrongSums = """
        SELECT bd.backup_job_id, SUM(bd.bytes_transferred) AS should_be, bj.bytes_transferred AS actual,
          (SUM(bd.bytes_transferred) = bj.bytes_transferred) AS correct
        FROM backup_disks bd JOIN backup_jobs bj ON bj.id = bd.backup_job_id
        WHERE bj.status = 'completed' GROUP BY bd.backup_job_id HAVING correct = 0
        """

    @Test(arguments: [false, true])
    func `the guide's old jobs without bytes are found, mended as it says, and nothing else is touched`(
        withTelemetry: Bool
    ) throws {
        let settings = try PrivateMariaDB.shared(timeZone: "-03:00").createDatabase()
        let connection = try Connection.open(settings)
        try FieldSchema.install(on: connection, withTelemetry: withTelemetry)
        try Migrator(settings, owner: "test").run()
        #expect(try connection.query(Self.wrongSums).count == 1)
        let read = "SELECT * FROM backup_jobs WHERE id <> 'backup-pgtest1-1759900000' ORDER BY id"
        let others = try connection.query(read)
        let row = "SELECT * FROM backup_jobs WHERE id = 'backup-pgtest1-1759900000'"
        let before = try connection.query(row)[0]

        let found = try WriterProgram.run(["audit"], on: settings)
        #expect(found.status == 3, "\(found)")
        let words = "backup-pgtest1-1759900000  bytes: stored 0, should be 114890375168; --repair mends it\n"
        #expect(found.text.contains(words), "\(found)")
        #expect(found.text.contains("audited 2 backups (2 written by a hub only)"), "\(found)")
        #expect(found.errorText == "sendense-writer: 1 breach is left; --repair mends 1 of them\n")
        #expect(try connection.query(row)[0] == before)

        let repaired = try WriterProgram.run(["audit", "--repair"], on: settings)
        #expect(repaired.status == 0 && repaired.text.contains("1 mended, 0 left"), "\(repaired)")
        #expect(try connection.query(Self.wrongSums).isEmpty)
        let after = try connection.query(row)[0]
        let changed = zip(before.cells, after.cells).filter { $0 != $1 }
        #expect(changed.count == 1 && changed[0].1 == .int(114_890_375_168))
        #expect(try connection.query(read) == others)

        let again = try WriterProgram.run(["audit", "--repair"], on: settings)
        #expect(again.status == 0 && again.text.contains(": no breach\n"), "\(again)")
        #expect(try connection.query("SELECT COUNT(*) FROM job_events")[0].int(0) == 1)
        let told = try WriterProgram.run(["explain", "backup-pgtest1-1759900000"], on: settings)
        #expect(told.status == 0 && told.text.contains("\"bytes: was 0, is 114890375168\""), "\(told)")
        #expect(told.text.contains("only the hub has written this row"))
    }

    @Test func `a row with a word that no rule knows is told as such, not as gone`() throws {
        let settings = try PrivateMariaDB.shared(timeZone: "-03:00").createDatabase()
        let connection = try Connection.open(settings)
        try FieldSchema.install(on: connection, withTelemetry: false)
        try Migrator(settings, owner: "test").run()
        let id = "backup-pgtest1-1759900000"
        try connection.execute("ALTER TABLE backup_jobs MODIFY status VARCHAR(20)")
        try connection.execute("UPDATE backup_jobs SET status = 'paused' WHERE id = '\(id)'")

        let audit = try WriterProgram.run(["audit"], on: settings)
        #expect(audit.text.contains("    \(id)  \"paused\" in backup_jobs.status\n"), "\(audit)")
        let told = try WriterProgram.run(["explain", id], on: settings)
        let words = "The row of job \(id) has \"paused\" in backup_jobs.status, which is none of"
        #expect(told.status == 0 && told.text.hasPrefix(words), "\(told)")
        #expect(told.text.contains("answered 422"))
    }

    @Test func `the exit status tells a script what to do`() throws {
        let settings = try PrivateMariaDB.shared(timeZone: "-03:00").createDatabase()
        let connection = try Connection.open(settings)
        let unmigrated = try WriterProgram.run(["audit"], on: settings)
        #expect(
            unmigrated.status == 1 && unmigrated.errorText.contains("Run the migrations"),
            "\(unmigrated)"
        )
        try Migrator(settings, owner: "test").run()
        #expect(try WriterProgram.run(["audit"], on: settings).status == 0)
        let unread = try WriterProgram.run(["audit"], on: settings, output: "/dev/full")
        #expect(unread.status == 1 && unread.errorText.contains("could not be written"), "\(unread)")
        try connection.execute(
            """
            INSERT INTO backup_jobs (id, vm_name, backup_type, status, current_phase, telemetry_seq, attempt)
            VALUES ('job-1', 'vm', 'full', 'running', 'x', 1, 0)
            """
        )
        #expect(try WriterProgram.run(["audit"], on: settings).status == 3)
        #expect(try WriterProgram.run(["audit", "--repair"], on: settings).status == 3)
        #expect(try WriterProgram.run(["audit", "--repair", "perhaps"], on: settings).status == 2)
        #expect(try WriterProgram.run(["audit", "job-1"], on: settings).status == 2)
        #expect(try WriterProgram.run(["audit", "--stalled-after", "300"], on: settings).status == 2)
        #expect(try WriterProgram.run(["--repair"], on: settings).status == 2)
        #expect(try WriterProgram.run(["explain"], on: settings).status == 2)
        #expect(try WriterProgram.run(["explain", "--json", "job-1"], on: settings).status == 2)
        #expect(try WriterProgram.run(["explain", "job-1", "--repair"], on: settings).status == 2)
        #expect(try WriterProgram.run(["explain", "job-1"], on: settings).status == 0)
        #expect(try WriterProgram.run(["explain", "job-2"], on: settings).status == 4)
        let nowhere = settings.using(database: "no_such_database")
        #expect(try WriterProgram.run(["audit"], on: nowhere).status == 1)
        #expect(try WriterProgram.run(["explain", "job-1"], on: nowhere).status == 1)
    }

    @Test func `an audit needs no right but to read`() throws {
        let server = try PrivateMariaDB.shared(timeZone: "-03:00")
        var settings = try server.createDatabase()
        try Migrator(settings, owner: "test").run()
        let connection = try Connection.open(settings)
        let user = "reader_\(settings.database)"
        try connection.execute("CREATE USER '\(user)'@'localhost'")
        try connection.execute("GRANT SELECT ON `\(settings.database)`.* TO '\(user)'@'localhost'")
        try connection.execute(
            """
            INSERT INTO backup_jobs (id, vm_name, backup_type, status, current_phase, telemetry_seq, progress_percent)
            VALUES ('job-1', 'vm', 'full', 'running', 'x', 1, 101)
            """
        )
        settings.user = user
        #expect(try WriterProgram.run(["audit"], on: settings).status == 3)
        #expect(try WriterProgram.run(["explain", "job-1"], on: settings).status == 0)
        let refused = try WriterProgram.run(["audit", "--repair"], on: settings)
        #expect(refused.status == 1 && refused.errorText.contains("Grant the user"), "\(refused)")
    }

    @Test func `JSON is one object per line, with the same facts`() throws {
        try AuditBench.run(.adopted) { bench in
            try bench.sendOneOfEachKind()
            try bench.connection.execute(
                "UPDATE backup_jobs SET error_message = 'two\\nlines \"quoted\"' WHERE id = 'done'"
            )
            func lines(_ arguments: [String]) throws -> [[String: Any]] {
                try WriterProgram.run(arguments, on: bench.settings).text.split(separator: "\n").map {
                    try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
                }
            }
            let audit = try lines(["audit", "--json"])
            let breaches = audit.filter { $0["kind"] as? String == "breach" }
            #expect(breaches.compactMap { $0["rule"] as? String }.sorted() == ["bytes", "error-text"])
            #expect(breaches.contains { $0["stored"] as? String == "two\nlines \"quoted\"" })
            #expect(
                breaches.allSatisfy { $0["state"] as? String == "found" && $0["mendable"] as? Bool == true }
            )
            #expect(audit.contains { $0["note"] as? String == "child-row" })
            #expect(audit.last?["kind"] as? String == "summary" && audit.last?["breaches"] as? Int == 2)
            let told = try lines(["explain", "presumed", "--json"])
            #expect(told.dropLast().compactMap { $0["to"] as? String } == ["running", "failed"])
            #expect(told.last?["status"] as? String == "failed" && told.last?["may_change"] as? Bool == true)
        }
    }

    @Test func `an unknown job is answered with those that may be meant`() throws {
        try AuditBench.run(.adopted) { bench in
            bench.send([try AuditBench.registration("backup-Pgtest1-1760000000")])
            func hint(_ id: String) throws -> String {
                let output = try WriterProgram.run(["explain", id], on: bench.settings)
                #expect(output.status == 4 && output.text.isEmpty, "\(output)")
                return output.errorText
            }
            let fact = "sendense-writer: there is no backup job \"BACKUP-PGTEST1-1760000000\"; did you mean "
            #expect(try hint("BACKUP-PGTEST1-1760000000") == fact + "backup-Pgtest1-1760000000?\n")
            #expect(try hint("backup-pgtest1-17600").contains("mean backup-Pgtest1-1760000000?"))
            #expect(try hint("pgtest1").contains("backup-pgtest1-1759990000, "))
            #expect(try hint("backup-pgtest1-1999999999").contains("backup-pgtest1-1759990000, "))
            #expect(try hint("backup-other%-1").contains("\"backup-other%-1\", nor one like it"))
            #expect(try hint(" x\u{1B}[2J").contains("\" x [2J\", nor one like it"))
        }
    }

    @Test func `a job whose row is gone is told from its events`() throws {
        try AuditBench.run(.ours) { bench in
            try bench.sendOneOfEachKind()
            try bench.connection.execute("DELETE FROM backup_jobs")
            let output = try WriterProgram.run(["explain", "presumed"], on: bench.settings)
            #expect(output.status == 0, "\(output)")
            #expect(output.text.hasPrefix("presumed: its row is gone, only its events remain; it was failed"))
            #expect(output.text.contains("presumed to have died: 6 min 4"), "\(output)")
            #expect(output.text.contains("answered 404"))
        }
    }
}
