import Database
import TestSupport
import Testing

@testable import Bench

@Suite struct LedgerTests {
    /// Tables with two jobs, each as a message stored it.
    private func tables(_ jobs: JobSet, numbers: [Int]) throws -> Connection {
        let settings = try PrivateMariaDB.shared().createDatabase()
        try Migrator(settings, owner: "test").run()
        let connection = try Connection.open(settings)
        for number in numbers {
            let id = jobs.id(jobs.job(number))
            try connection.execute(
                """
                INSERT INTO backup_jobs (id, vm_name, backup_type, status, bytes_transferred, telemetry_seq)
                VALUES ('\(id)', 'vm', 'full', 'running', \(jobs.bytes(number)), \(jobs.seq(number)))
                """
            )
            for disk in 0..<jobs.diskCount {
                try connection.execute(
                    """
                    INSERT INTO backup_disks (backup_job_id, disk_index, bytes_transferred)
                    VALUES ('\(id)', \(disk), \(jobs.diskBytes(number)))
                    """
                )
            }
        }
        return connection
    }

    private let jobs = JobSet(prefix: "backup-vm", count: 2, diskCount: 2)

    @Test(arguments: [(acknowledged: 10, lost: 0), (12, 1)])
    func `what was acknowledged and is not stored is found`(acknowledged: Int, lost: Int) throws {
        let connection = try tables(jobs, numbers: [10, 11])
        var ledger = Ledger(jobs)
        var generator = SplitMix64(seed: 1)
        for number in [acknowledged, 11, 3] { ledger.acknowledged(number) }
        let found = try ledger.verify(connection, hasSeq: true, using: &generator)
        #expect(found.count == 2 && found.lost.count == lost, "\(found.lost)")
    }

    @Test func `a job that is not the sum of its disks is found, and one that is not there`() throws {
        let connection = try tables(jobs, numbers: [10])
        try connection.execute("UPDATE backup_disks SET bytes_transferred = 1 WHERE disk_index = 1")
        var ledger = Ledger(jobs)
        var generator = SplitMix64(seed: 1)
        for number in [10, 11] { ledger.acknowledged(number) }
        let lost = try ledger.verify(connection, hasSeq: true, using: &generator).lost
        #expect(lost.count == 2, "\(lost)")
        #expect(
            lost.contains { $0.contains("no row") } && lost.contains { $0.contains("those of its disks") }
        )
    }
}
