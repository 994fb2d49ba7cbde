/// A backup client as it is deployed in the field: makes the requests that it sends, in its own spelling.
///
/// Everything that a server must not rely on follows from the seed: the UTC offset of the times, messages
/// that share a second, whether `error` is absent or null, words and members of disk entries, percentages
/// above 100.
public struct OldClient: Sendable {
    /// What a client tells beside `/complete`.
    public enum Generation: String, Sendable, CaseIterable {
        /// Telemetry with `disks: []`: its numbers are those of the disk that it is at.
        case withoutDisks
        /// Telemetry with an entry per disk.
        case withDisks
        /// No telemetry at all.
        case silent
    }

    /// How a failure is told.
    public enum Failure: Sendable, CaseIterable {
        /// The status `failed` and no error.
        case status
        /// The status `running` and an error's text.
        case text
        /// The status `failed` and an error as an object.
        case object

        /// The error's words; none are told by the status alone.
        public static let message = "read disk 0: input/output error"
    }

    /// The job's id.
    public let job: String
    /// The bytes of its disks.
    public let totals: [Int64]
    /// What it tells.
    public let generation: Generation
    /// What its spelling follows from; a failing test shows it.
    public let seed: UInt64

    var generator: SplitMix64
    /// Its clock, in whole seconds since 1970 UTC.
    var second: Int64
    /// The bytes that it has told of each disk.
    var told: [Int64]
    /// The disks whose end it has told.
    var ended: Set<Int> = []
    var speed: Int64 = 0

    /// A client that has not sent anything.
    ///
    /// - Parameters:
    ///   - job: the id of the job.
    ///   - totals: the bytes of its disks.
    ///   - generation: what it tells.
    ///   - seed: what its spelling follows from.
    ///   - second: its clock at the start, in seconds since 1970 UTC.
    public init(
        job: String,
        totals: [Int64],
        generation: Generation = .withoutDisks,
        seed: UInt64,
        second: Int64 = 1_760_099_999
    ) {
        self.job = job
        self.totals = totals
        self.generation = generation
        self.seed = seed
        self.second = second
        generator = SplitMix64(seed: seed)
        told = totals.map { _ in 0 }
    }

    /// Sets the client's clock; it has whole seconds.
    ///
    /// - Parameter second: seconds since 1970 UTC, also ones that are over.
    public mutating func setClock(_ second: Int64) { self.second = second }

    /// Lets time pass for the client.
    public mutating func advanceClock(seconds: Int64) { second += seconds }

    /// What it sends while a disk is copied.
    public mutating func progress(disk: Int, bytes: Int64) -> ClientRequest {
        // Two messages may share a second, but not the last of one disk and the first of the next.
        second += told[disk] == 0 ? 1 + below(5) : below(6)
        speed = 1 + below(200_000_000)
        told[disk] = bytes
        return telemetry(
            .progress,
            disk: disk,
            status: "running",
            phase: "transferring",
            numbers: Numbers(
                bytes: bytes,
                total: totals[disk],
                speed: speed,
                eta: (totals[disk] - bytes) / speed,
                percent: percent(bytes, of: totals[disk])
            )
        )
    }

    /// A status change in the middle of a disk: all numbers are zero.
    public mutating func noNews(disk: Int) -> ClientRequest {
        second += 1 + below(3)
        return telemetry(.noNews, disk: disk, status: "running", phase: "transferring", numbers: .zero)
    }

    /// What it sends when a disk ends, under the one job id: all numbers are zero.
    public mutating func completed(disk: Int) -> ClientRequest {
        second += below(2)
        ended.insert(disk)
        return telemetry(.completed, disk: disk, status: "completed", phase: "completed", numbers: .zero)
    }

    /// What it sends when the copy fails: all numbers are zero.
    public mutating func failed(disk: Int, _ failure: Failure) -> ClientRequest {
        second += below(2)
        let error: String? =
            switch failure {
            case .status: nil
            case .text: "\"\(Failure.message)\""
            case .object: "{\"message\":\"\(Failure.message)\",\"code\":\"EIO\",\"timestamp\":\"\(time())\"}"
            }
        let status = failure == .text ? "running" : "failed"
        return telemetry(
            .failed,
            disk: disk,
            status: status,
            phase: status == "failed" ? "failed" : "transferring",
            numbers: .zero,
            error: error
        )
    }

    /// What it calls after a disk; the bytes are always 0, and a missing `disk_id` means 0.
    public mutating func complete(disk: Int) -> ClientRequest {
        let isNamed = disk > 0 || below(2) == 0
        return ClientRequest(
            .completion,
            disk: disk,
            path: "/api/v1/backups/\(job)/complete",
            body: "{\"change_id\":\"\(Self.changeID(disk: disk))\","
                + (isNamed ? "\"disk_id\":\(disk)," : "") + "\"bytes_transferred\":0}"
        )
    }

    /// The change id that it tells of a disk.
    public static func changeID(disk: Int) -> String {
        "52 66 8c 2d a7 c5 c5 68-c5 d2 8d 04 79 f5 fd 7d/\(5440 + disk)"
    }

    /// A whole backup, disk after disk.
    ///
    /// - Parameter steps: messages with numbers per disk.
    /// - Returns: its requests in the order in which it sends them.
    public mutating func backup(steps: Int = 3) -> [ClientRequest] {
        totals.indices.flatMap { disk in
            guard generation != .silent else { return [complete(disk: disk)] }
            var requests: [ClientRequest] = []
            for step in 1...steps {
                requests.append(progress(disk: disk, bytes: totals[disk] / Int64(steps) * Int64(step)))
                if step == 1, below(2) == 0 { requests.append(noNews(disk: disk)) }
            }
            return requests + [completed(disk: disk), complete(disk: disk)]
        }
    }

    /// The bytes that `backup` has told of each disk in the end.
    public func bytesTold(steps: Int = 3) -> [Int64] {
        totals.map { generation == .silent ? $0 : $0 / Int64(steps) * Int64(steps) }
    }

    mutating func below(_ bound: Int64) -> Int64 { Int64.random(in: 0..<bound, using: &generator) }
}
