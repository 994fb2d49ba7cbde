import Database
import StackSupport
import TestSupport
import Threading

/// The database's own limit: the columns that an update has to write, by the quickest way known, without any rule.
///
/// A batch of jobs goes by array INSERT into temporary tables in memory, and from there with one UPDATE each into
/// jobs and disks; one COMMIT. Each connection has jobs of its own, as a writer's lanes have.
final class RawBulk {
    /// What a run came to.
    struct Outcome {
        /// Updates committed within the time measured.
        var committed: Int
        /// Of each batch, from its first statement to its commit.
        var batches: Latencies
        var cost: Cost
    }

    static let batchCount = 512
    private static let warmUpSeconds = 0.5

    private let settings: DatabaseSettings
    private let jobs: JobSet
    private let ids: [String]
    private let counter: MessageCounter

    init(_ settings: DatabaseSettings, jobs: JobSet, counter: MessageCounter) {
        self.settings = settings
        self.jobs = jobs
        ids = (0..<jobs.count).map { jobs.id($0) }
        self.counter = counter
    }

    /// Writes for so long on so many connections.
    func run(seconds: Double, connectionCount: Int, meter: Meter) throws -> Outcome {
        let first = counter.next
        let start = MonotonicClock.nowNanoseconds
        let begin = start + Int64(Self.warmUpSeconds * 1e9)
        let end = begin + Int64(seconds * 1e9)
        let (settings, jobs, ids) = (settings, jobs, ids)
        let runs = (0..<connectionCount).map { place -> ThreadRun<RawBulkLane.Outcome> in
            ThreadRun {
                try DatabaseLibrary.withThread { () throws -> RawBulkLane.Outcome in
                    var lane = try RawBulkLane(
                        settings,
                        jobs: jobs,
                        ids: ids,
                        place: place,
                        laneCount: connectionCount,
                        firstNumber: first
                    )
                    return try lane.write(from: begin, until: end)
                }
            }
        }
        Pause.until(nanoseconds: begin)
        let before = try meter.read()
        Pause.until(nanoseconds: end)
        let after = try meter.read()
        var outcome = Outcome(
            committed: 0,
            batches: Latencies(),
            cost: meter.cost(from: before, to: after)
        )
        for run in runs {
            let part = try run.value()
            outcome.committed += part.committed
            outcome.batches.add(part.batches)
            counter.pass(part.nextNumber)
        }
        return outcome
    }
}

/// One connection's share.
private struct RawBulkLane {
    struct Outcome {
        var committed = 0
        var batches = Latencies()
        /// The first message that it did not use.
        var nextNumber = 0
    }

    private static let jobColumns = """
        id varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, phase varchar(50),
        bytes bigint, speed bigint, eta int, percent int, seq bigint
        """
    private static let diskColumns = """
        id varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, disk_index int NOT NULL, bytes bigint,
        percent int, PRIMARY KEY (id, disk_index)
        """
    // The batch has to lead: the server, which knows the size of neither, may else read all of the other table.
    private static let updateJobs = """
        UPDATE raw_jobs b STRAIGHT_JOIN backup_jobs j ON j.id = b.id
        SET j.current_phase = b.phase, j.bytes_transferred = b.bytes, j.transfer_speed_bps = b.speed,
          j.eta_seconds = b.eta, j.progress_percent = b.percent / 100, j.telemetry_seq = b.seq,
          j.last_telemetry_at = NOW(), j.last_contact_ms = \(ServerClock.milliseconds)
        """
    private static let updateDisks = """
        UPDATE raw_disks b STRAIGHT_JOIN backup_disks d ON d.backup_job_id = b.id AND d.disk_index = b.disk_index
        SET d.bytes_transferred = b.bytes, d.progress_percent = b.percent / 100
        """

    private let connection: Connection
    private let jobs: JobSet
    private let ids: [String]
    private let place: Int
    private let laneCount: Int
    private var number: Int

    init(
        _ settings: DatabaseSettings,
        jobs: JobSet,
        ids: [String],
        place: Int,
        laneCount: Int,
        firstNumber: Int
    ) throws {
        connection = try Connection.open(settings)
        self.jobs = jobs
        self.ids = ids
        self.place = place
        self.laneCount = laneCount
        number = firstNumber
        try connection.execute("CREATE TEMPORARY TABLE raw_jobs (\(Self.jobColumns)) ENGINE=MEMORY")
        try connection.execute("CREATE TEMPORARY TABLE raw_disks (\(Self.diskColumns)) ENGINE=MEMORY")
    }

    mutating func write(from begin: Int64, until end: Int64) throws -> Outcome {
        var outcome = Outcome()
        while MonotonicClock.nowNanoseconds < end {
            // In the order of the key: neighbours share pages.
            let numbers = nextNumbers().sorted { jobs.job($0) < jobs.job($1) }
            let start = MonotonicClock.nowNanoseconds
            try write(numbers)
            let now = MonotonicClock.nowNanoseconds
            guard now >= begin, now <= end else { continue }
            outcome.committed += numbers.count
            outcome.batches.record(nanoseconds: now - start)
        }
        outcome.nextNumber = number
        return outcome
    }

    /// The next messages to jobs of this connection.
    private mutating func nextNumbers() -> [Int] {
        var numbers: [Int] = []
        while numbers.count < RawBulk.batchCount {
            if jobs.job(number) % laneCount == place { numbers.append(number) }
            number += 1
        }
        return numbers
    }

    private func write(_ numbers: [Int]) throws {
        let diskCount = jobs.diskCount
        let ids = numbers.map { self.ids[jobs.job($0)] }
        try connection.prepare("INSERT INTO raw_jobs VALUES (?, ?, ?, ?, ?, ?, ?)").executeBulk(
            [
                .texts(ids), .texts(Array(repeating: "transferring", count: ids.count)),
                .ints(numbers.map { jobs.bytes($0) }), .ints(numbers.map { jobs.speed($0) }),
                .ints(numbers.map { jobs.etaSeconds($0) }),
                .ints(numbers.map { jobs.diskBytes($0) * 10_000 / JobSet.diskTotal }),
                .ints(numbers.map { jobs.seq($0) }),
            ],
            rowCount: ids.count
        )
        let disks = numbers.flatMap { number in (0..<diskCount).map { (number: number, index: $0) } }
        try connection.prepare("INSERT INTO raw_disks VALUES (?, ?, ?, ?)").executeBulk(
            [
                .texts(disks.map { self.ids[jobs.job($0.number)] }), .ints(disks.map { Int64($0.index) }),
                .ints(disks.map { jobs.diskBytes($0.number) }),
                .ints(disks.map { jobs.diskBytes($0.number) * 10_000 / JobSet.diskTotal }),
            ],
            rowCount: disks.count
        )
        try connection.begin()
        let jobCount = try connection.execute(Self.updateJobs)
        let rowCount = try connection.execute(Self.updateDisks)
        try connection.commit()
        guard jobCount == numbers.count, rowCount == disks.count else {
            throw EndToEndError("\(jobCount) jobs and \(rowCount) disks matched, of \(numbers.count) jobs")
        }
        // Not TRUNCATE, which makes the table anew.
        try connection.execute("DELETE FROM raw_jobs")
        try connection.execute("DELETE FROM raw_disks")
    }
}
