import Database
import DatabaseKit
import JobModel
import Logging
import ServiceKit
import TestSupport
import Testing
import Threading

@testable import Writer

/// The committer on a hub's own tables, which demand more than we use.
@Suite struct AdoptedTests {
    private static let context = "ctx-backup-pgtest1-1759900000"

    private func registration(
        _ id: String,
        repository: String? = "repo-1",
        columns: [String: ColumnValue] = [
            "vm_context_id": .text("ctx-pgtest1"), "repository_path": .text("/multi-disk-parent"),
            "vm_backup_context_id": .text(context),
        ],
        disks: [[String: ColumnValue]] = [[:], [:]]
    ) throws -> LaneItem {
        let jobID = try #require(JobID(id))
        return item(
            .registration(
                Registration(
                    jobID: jobID,
                    vmName: "pgtest1",
                    backupType: .full,
                    repositoryID: repository,
                    disks: disks.enumerated().map {
                        RegisteredDisk(index: Int32($0), total: 1000, columns: $1)
                    },
                    announcesTelemetry: true,
                    columns: columns
                )
            )
        )
    }

    private func item(_ message: JobMessage) -> LaneItem {
        LaneItem(
            sender: [1],
            messageID: 1,
            message: message,
            receivedMilliseconds: MonotonicClock.nowMilliseconds
        )
    }

    private func withCommitter(
        _ body: @escaping @Sendable (Committer, Connection) throws -> Void
    ) throws {
        let server = try PrivateMariaDB.shared(timeZone: "-03:00")
        let settings = try server.createDatabase()
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                let connection = try Connection.open(settings)
                try FieldSchema.install(on: connection, withTelemetry: false)
                try Migrator(settings, owner: "test").run()
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                let session = Session(settings, part: "test", health: Health(waitingFor: []), logger: logger)
                try body(Committer(session, logger: logger), connection)
            }
        }.value()
    }

    @Test func `a registration with the hub's columns makes the rows that the hub would`() throws {
        try withCommitter { committer, connection in
            let disks: [[String: ColumnValue]] = [
                ["vmware_disk_key": .integer(2000)], ["UNIT_NUMBER": .integer(3)],
            ]
            let answers = committer.commit([try registration("backup-new-1", disks: disks)])
            #expect(answers.map(\.verdict) == [.created], "\(answers)")
            let row = try connection.query(
                """
                SELECT vm_context_id, repository_path, vm_backup_context_id, repository_id, status
                FROM backup_jobs WHERE id = 'backup-new-1'
                """
            )[0]
            let texts = try (0..<5).map { try row.text($0) }
            #expect(texts == ["ctx-pgtest1", "/multi-disk-parent", Self.context, "repo-1", "running"])
            let rows = try connection.query(
                """
                SELECT vm_backup_context_id, vmware_disk_key, COALESCE(unit_number, -1), size_gb
                FROM backup_disks WHERE backup_job_id = 'backup-new-1' ORDER BY disk_index
                """
            )
            #expect(try rows.map { try $0.text(0) } == [Self.context, Self.context])
            #expect(try rows.map { try $0.int(1) } == [2000, 0] && rows.map { try $0.int(2) } == [-1, 3])
        }
    }

    @Test func `each member that the hub's tables demand is named, all at once, and others are stored`()
        throws
    {
        try withCommitter { committer, connection in
            let answers = committer.commit([
                try registration("backup-good-1"),
                try registration("backup-bare-1", repository: nil, columns: [:]),
                try registration("backup-good-2"),
                try registration(
                    "backup-half-1",
                    columns: ["vm_context_id": .text("ctx-pgtest1"), "repository_path": .text("/x")],
                    disks: [["vm_backup_context_id": .text(Self.context)], [:]]
                ),
            ])
            #expect(answers.map(\.verdict) == [.created, .rejected, .created, .rejected])
            #expect(
                answers[1].problems.map(\.pointer) == [
                    "/repository_path", "/vm_context_id", "/repository_id", "/vm_backup_context_id",
                ]
            )
            #expect(answers[1].problems.allSatisfy { $0.detail.contains("is missing") })
            #expect(answers[3].problems.map(\.pointer) == ["/disks/1/vm_backup_context_id"])
            let count = "SELECT COUNT(*) FROM backup_jobs WHERE id LIKE 'backup-%-1' AND vm_name = 'pgtest1'"
            #expect(try connection.query(count)[0].int(0) == 1)
        }
    }

    @Test func `a member that names nothing, or does not fit, is named with the table it should be in`()
        throws
    {
        try withCommitter { committer, _ in
            let wrong: [(ColumnValue, String, String)] = [
                (.text("nobody"), "vm_context_id", "vm_replication_contexts"),
                (.text(String(repeating: "x", count: 192)), "vm_context_id", "too long"),
                (.text(String(repeating: "x", count: 513)), "repository_path", "too long"),
            ]
            for (value, name, words) in wrong {
                var columns: [String: ColumnValue] = [
                    "vm_context_id": .text("ctx-pgtest1"), "repository_path": .text("/x"),
                    "vm_backup_context_id": .text(Self.context),
                ]
                columns[name] = value
                let answer = committer.commit([try registration("backup-wrong-1", columns: columns)])[0]
                #expect(
                    answer.verdict == .rejected && answer.problems.map(\.pointer) == ["/\(name)"],
                    "\(answer)"
                )
                #expect(answer.problems.first?.detail.contains(words) == true, "\(answer)")
            }
            let answer = committer.commit([try registration("backup-wrong-1", repository: "nowhere")])[0]
            #expect(answer.problems.map(\.pointer) == ["/repository_id"], "\(answer)")
        }
    }

    @Test func `a hub's own row without disks gets them from the first registration`() throws {
        try withCommitter { committer, connection in
            try connection.execute(
                """
                INSERT INTO backup_jobs (id, vm_backup_context_id, vm_context_id, vm_name, repository_id, backup_type,
                  repository_path) VALUES ('backup-hub-1', '\(Self.context)', 'ctx-pgtest1', 'pgtest1', 'repo-1',
                  'full', '/hub')
                """
            )
            let answer = committer.commit([try registration("backup-hub-1", repository: nil, columns: [:])])[
                0
            ]
            #expect(answer.verdict == .applied && answer.jobStatus == .running, "\(answer)")
            let rows = try connection.query(
                """
                SELECT d.vm_backup_context_id, j.repository_path, j.started_at IS NOT NULL
                FROM backup_disks d JOIN backup_jobs j ON j.id = d.backup_job_id WHERE j.id = 'backup-hub-1'
                """
            )
            try #require(try rows.map { try $0.text(0) } == [Self.context, Self.context])
            #expect(try rows[0].text(1) == "/hub" && rows[0].int(2) == 1)
        }
    }

    @Test func `disks come in their order, also where a hub has no index by it`() throws {
        try withCommitter { committer, connection in
            // What is left is by the disk's status: the one that is not completed comes first.
            try connection.execute("ALTER TABLE backup_disks DROP INDEX uk_backup_disk")
            let ids = (10..<20).map { "backup-new-\($0)" }
            let made = committer.commit(try ids.map { try registration($0, disks: [[:], [:], [:]]) })
            #expect(made.allSatisfy { $0.verdict == .created }, "\(made)")
            let jobs = try ids.map { try #require(JobID($0)) }
            for index in [0, 2] as [Int32] {
                let completions = jobs.map {
                    DiskCompletion(jobID: $0, diskIndex: index, changeID: "c", bytes: 1)
                }
                _ = committer.commit(completions.map { item(.completion($0)) })
            }
            let tables = try BatchTables(connection)
            let locked = try connection.transaction { () throws(DatabaseError) in
                try JobStore(connection).lock(jobs, through: tables)
            }
            #expect(locked.jobs.count == jobs.count)
            for job in locked.jobs.values {
                #expect(job.disks.map(\.index) == [0, 1, 2])
                #expect(job.disks.map(\.status) == [.completed, .pending, .completed])
            }
        }
    }

    @Test func `an id that only looks different is refused by name, and the stored job stays`() throws {
        try withCommitter { committer, connection in
            let id = "backup-pgtest1-1759990000"
            let rows = "SELECT * FROM backup_jobs ORDER BY id"
            let before = try connection.query(rows)
            let answer = committer.commit([try registration(id.uppercased())])[0]
            #expect(answer.verdict == .conflict && answer.detail.contains("stored \(id) "), "\(answer)")
            let jobID = try #require(JobID(id.uppercased()))
            let report = Report(jobID: jobID, status: .running, phase: "transferring", bytes: 1, total: 2)
            #expect(committer.commit([item(.report(report))])[0].verdict == .unknownJob)
            #expect(try connection.query(rows) == before)
        }
    }

    @Test func `a job's history has its first numbers, its end, and goes with its row`() throws {
        try withCommitter { committer, connection in
            let id = try #require(JobID("backup-new-1"))
            func report(_ seq: Int64, bytes: Int64, attempt: Int64 = 1) -> LaneItem {
                let disks = [bytes, 0].enumerated().map {
                    DiskReport(index: Int32($0), bytes: $1, total: 1000, status: .transferring)
                }
                return item(
                    .report(
                        Report(
                            jobID: id,
                            status: .running,
                            phase: "transferring",
                            bytes: bytes,
                            total: 2000,
                            speed: 7,
                            disks: disks,
                            attempt: attempt,
                            seq: seq
                        )
                    )
                )
            }
            func points() throws -> [[Int64]] {
                try connection.query(
                    "SELECT attempt, bytes_transferred, transfer_speed_bps FROM job_history ORDER BY attempt, at_ms"
                ).map { [try $0.int(0), try $0.int(1), try $0.int(2)] }
            }
            _ = committer.commit([try registration("backup-new-1")])
            #expect(try points().isEmpty)
            for seq in 1...3 { _ = committer.commit([report(Int64(seq), bytes: Int64(seq) * 100)]) }
            #expect(try points() == [[1, 100, 7]])
            try connection.execute("UPDATE backup_jobs SET history_ms = history_ms - 10000")
            _ = committer.commit([report(4, bytes: 400)])
            #expect(try points() == [[1, 100, 7], [1, 400, 7]])

            guard case .report(var failed) = report(5, bytes: 500).message else { return }
            failed.error = "gone"
            _ = committer.commit([item(.report(failed))])
            _ = committer.commit([try registration("backup-new-1")])
            _ = committer.commit([report(1, bytes: 50, attempt: 2)])
            let all: [[Int64]] = [[1, 100, 7], [1, 400, 7], [1, 500, 0], [2, 50, 7]]
            let found = try points()
            #expect(found == all, "\(found)")
            try connection.execute("DELETE FROM backup_jobs WHERE id = 'backup-new-1'")
            #expect(try points().isEmpty)
        }
    }
}
