import Database
import StackSupport
import TestSupport

/// What was acknowledged: the newest message of each job that was answered 200.
struct Ledger {
    private static let sampleCountMax = 2000

    let jobs: JobSet
    /// By job; -1: none.
    private var newest: [Int]

    init(_ jobs: JobSet) {
        self.jobs = jobs
        newest = Array(repeating: -1, count: jobs.count)
    }

    mutating func acknowledged(_ number: Int) {
        let job = jobs.job(number)
        newest[job] = max(newest[job], number)
    }

    /// Takes in what another run's load was told of the same jobs.
    mutating func add(_ other: Ledger) {
        for job in newest.indices { newest[job] = max(newest[job], other.newest[job]) }
    }

    /// Compares a sample of the jobs with what is stored.
    ///
    /// - Parameters:
    ///   - connection: where they are stored.
    ///   - hasSeq: their messages have a `seq`; otherwise their bytes alone show which one is stored.
    ///   - generator: what the sample follows from.
    /// - Returns: how many were looked at, and a line for each that is not stored as it was acknowledged.
    /// - Throws: `DatabaseError`.
    func verify(
        _ connection: Connection,
        hasSeq: Bool,
        using generator: inout SplitMix64
    ) throws -> (count: Int, lost: [String]) {
        let sample = newest.indices.filter { newest[$0] >= 0 }.shuffled(using: &generator)
            .prefix(Self.sampleCountMax)
        let look = try connection.prepare(
            """
            SELECT j.telemetry_seq, j.bytes_transferred, CAST(SUM(d.bytes_transferred) AS SIGNED),
              CAST(MIN(d.bytes_transferred) AS SIGNED)
            FROM backup_jobs j JOIN backup_disks d ON d.backup_job_id = j.id WHERE j.id = ? GROUP BY j.id
            """
        )
        var lost: [String] = []
        for job in sample {
            guard let row = try look.query([.text(jobs.id(job))]).first else {
                lost.append("\(jobs.id(job)): no row")
                continue
            }
            let (seq, bytes) = (try row.int(0), try row.int(1))
            let (sum, least) = (try row.int(2), try row.int(3))
            let number = newest[job]
            if bytes != sum {
                lost.append("\(jobs.id(job)): bytes are \(bytes), those of its disks \(sum)")
            } else if hasSeq ? seq < jobs.seq(number) : bytes < jobs.diskBytes(number) {
                lost.append(
                    "\(jobs.id(job)): message \(number) was acknowledged, stored are seq \(seq), \(bytes) bytes"
                )
            } else if hasSeq, least != jobs.diskBytes(Int(seq - JobSet.seqMin)) {
                lost.append("\(jobs.id(job)): seq \(seq) is stored with \(least) bytes on a disk")
            }
        }
        return (sample.count, lost)
    }
}
