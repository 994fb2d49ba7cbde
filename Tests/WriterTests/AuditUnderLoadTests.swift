import Database
import JobModel
import TestSupport
import Testing
import Threading

@testable import Writer

/// Audits while jobs change.
@Suite struct AuditUnderLoadTests {
    /// Any message that a client, old or new, an operator or a confused program may send.
    private static func message(_ generator: inout SplitMix64) throws -> JobMessage {
        let id = "job-\(Int.random(in: 0..<24, using: &generator))"
        switch Int.random(in: 0..<20, using: &generator) {
        case 0: return try AuditBench.registration(id, telemetry: Bool.random(using: &generator))
        case 1:
            let attempt = Int64.random(in: 1...3, using: &generator)
            return try AuditBench.registration(id, attempt: attempt)
        case 2..<7:
            let disk = Int32.random(in: 0...2, using: &generator)
            let bytes = Bool.random(using: &generator) ? 0 : Int64.random(in: 0...1200, using: &generator)
            let id = try AuditBench.id(id)
            return .completion(DiskCompletion(jobID: id, diskIndex: disk, changeID: "c", bytes: bytes))
        case 7 where Int.random(in: 0..<4, using: &generator) == 0:
            return .cancel(CancelRequest(jobID: try AuditBench.id(id)))
        default: return .report(try report(id, &generator))
        }
    }

    private static func report(_ id: String, _ generator: inout SplitMix64) throws -> Report {
        let isNew = Bool.random(using: &generator)
        let ends: [ReportedStatus] = [.completed, .failed, .cancelled]
        let status =
            Int.random(in: 0..<12, using: &generator) == 0 ? ends.randomElement(using: &generator) : nil
        let disks = (0..<Int.random(in: 0...2, using: &generator)).map { index in
            DiskReport(
                index: Int32(index),
                bytes: Int64.random(in: 0...3500, using: &generator),
                total: [nil, 1000, 3000].randomElement(using: &generator) ?? nil,
                status: DiskStatus.allCases.randomElement(using: &generator) ?? .pending
            )
        }
        return Report(
            jobID: try AuditBench.id(id),
            status: status ?? .running,
            phase: "transferring",
            bytes: Int64.random(in: 0...4000, using: &generator),
            total: [nil, 0, 4000].randomElement(using: &generator) ?? nil,
            speed: Bool.random(using: &generator) ? 5 : nil,
            etaSeconds: Bool.random(using: &generator) ? 5 : nil,
            percentHundredths: Bool.random(using: &generator) ? 5000 : nil,
            disks: disks,
            error: status == .failed && Bool.random(using: &generator) ? "broken" : nil,
            timestampMilliseconds: isNew ? nil : Int64.random(in: 1...100, using: &generator) * 1000,
            attempt: isNew ? Int64.random(in: 1...2, using: &generator) : nil,
            seq: isNew ? Int64.random(in: 1...200, using: &generator) : nil
        )
    }

    /// Marks what is silent as the stale-detector does; a job that has just been marked may be revived.
    private static func mark(_ connection: Connection, _ generator: inout SplitMix64) throws {
        let hours = Int.random(in: 1...2, using: &generator)
        let remainder = Int.random(in: 0..<8, using: &generator)
        try connection.execute(
            """
            UPDATE backup_jobs SET last_telemetry_at = NOW() - INTERVAL \(hours) HOUR, \
            last_contact_ms = last_contact_ms - \(hours * 3_600_000) \
            WHERE status IN ('running', 'stalled') AND last_telemetry_at IS NOT NULL \
            AND CRC32(id) % 8 = \(remainder)
            """
        )
        let rule = try #require(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 5000))
        let store = SilenceStore(connection)
        for status in [JobStatus.running, .stalled] {
            for job in try store.silentJobs(status: status, forSeconds: 60) {
                let silence = job.readMilliseconds - job.contactMilliseconds
                guard let mark = rule.mark(status: status, silenceMilliseconds: silence) else { continue }
                let evidence = SilenceEvidence(silenceMilliseconds: silence, pathUpSinceMilliseconds: 0)
                // A writer may hold the row just now.
                let outcome = Result { try store.mark(job, as: mark, evidence, by: rule) }
                if case .failure(let error) = outcome {
                    #expect((error as? DatabaseError)?.kind == .retry, "\(error)")
                }
            }
        }
    }

    /// Jobs that the hub has made, some with numbers and ends of disks of its own, before any client reports.
    private static func makeHubsOwn(_ connection: Connection) throws {
        try connection.execute(
            """
            INSERT INTO backup_jobs (id, vm_context_id, vm_name, repository_id, backup_type, status, \
            repository_path, bytes_transferred, total_bytes) \
            SELECT CONCAT('job-', seq), 'ctx-pgtest1', 'pgtest1', 'repo-1', IF(seq % 3, 'full', 'incremental'), \
            IF(seq % 2, 'running', 'pending'), '/x', IF(seq % 4, 0, NULL), IF(seq % 5, 0, 77) FROM seq_0_to_11
            """
        )
        try connection.execute(
            """
            INSERT INTO backup_disks (vm_backup_context_id, backup_job_id, disk_index, size_gb, \
            bytes_transferred, status) \
            SELECT 'ctx-backup-pgtest1-1759900000', CONCAT('job-', j.seq), d.seq, j.seq % 2, \
            IF(j.seq % 3, 0, 500), ELT(1 + (j.seq + d.seq) % 3, 'pending', 'running', 'completed') \
            FROM seq_0_to_8 j JOIN seq_0_to_1 d
            """
        )
    }

    @Test(arguments: AuditBench.Hub.allCases, UInt64(0)..<8)
    func `whatever is sent in whatever order breaks no rule`(hub: AuditBench.Hub, seed: UInt64) throws {
        try AuditBench.run(hub) { bench in
            try bench.connection.execute("DELETE FROM backup_jobs")
            if hub == .adopted { try Self.makeHubsOwn(bench.connection) }
            var generator = SplitMix64(seed: seed)
            for round in 0..<40 {
                let count = Int.random(in: 1...40, using: &generator)
                let items = try (0..<count).map { _ in AuditBench.item(try Self.message(&generator)) }
                _ = bench.committer.commit(items)
                if round % 4 == 3 { try Self.mark(bench.connection, &generator) }
            }
            let (lines, sum) = try bench.audit()
            #expect(sum.breaches == 0 && sum.jobs > 10, "seed \(seed): \(lines)")
            #expect(try bench.audit(isRepair: true).sum.mended == 0)
        }
    }

    /// Jobs end; new ones take their ids.
    private static func forgetEnded(_ connection: Connection) throws(DatabaseError) {
        do throws(DatabaseError) {
            try connection.transaction { () throws(DatabaseError) in
                try connection.execute("DELETE FROM backup_jobs WHERE status = 'completed'")
                try connection.execute(
                    "DELETE FROM job_events WHERE job_id NOT IN (SELECT id FROM backup_jobs)"
                )
            }
        } catch {
            guard error.kind == .retry else { throw error }
        }
    }

    @Test(arguments: AuditBench.Hub.allCases)
    func `an audit sees no job halfway through its change`(hub: AuditBench.Hub) throws {
        try AuditBench.run(hub) { bench in
            try bench.connection.execute("DELETE FROM backup_jobs")
            let settings = bench.settings
            let isOver = Latch()
            let writers = (0..<2).map { number in
                ThreadRun { () throws -> Int in
                    try DatabaseLibrary.withThread { () throws in
                        let committer = AuditBench.committer(settings)
                        let connection = try Connection.open(settings)
                        var generator = SplitMix64(seed: UInt64(number))
                        var count = 0
                        while !isOver.isOpen {
                            let items = try (0..<8).map { _ in AuditBench.item(try Self.message(&generator)) }
                            _ = committer.commit(items)
                            count += 1
                            guard count % 50 == 0 else { continue }
                            try Self.forgetEnded(connection)
                        }
                        return count
                    }
                }
            }
            defer { isOver.open() }
            var (audits, repairs) = (0, 0)
            let end = ContinuousClock.now + .seconds(4)
            while audits < 30 || ContinuousClock.now < end {
                let (lines, sum) = try bench.audit(isRepair: audits % 2 == 1)
                #expect(sum.breaches == 0, "audit \(audits): \(lines)")
                audits += 1
                repairs += sum.mended
            }
            isOver.open()
            let commits = try writers.map { try $0.value() }
            #expect(commits.allSatisfy { $0 > 10 } && repairs == 0, "\(audits), \(commits)")
        }
    }
}
