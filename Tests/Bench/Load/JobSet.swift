/// Jobs of one shape, and what their messages tell.
///
/// A message is known by a number that only grows, whatever the run: its `seq`, the job it goes to and its bytes all
/// follow from it. So each message is news to its job, and a row shows which message it holds.
struct JobSet {
    /// The ids' place for a job's number has so many digits.
    static let digitCount = 7
    /// Bytes of one disk: as many digits in every message.
    private static let diskBytesMin: Int64 = 100_000_000_000
    private static let bytesPerMessage: Int64 = 4096
    static let diskTotal: Int64 = 1000 << 30
    /// `seq` of message 0: as many digits in every message.
    static let seqMin: Int64 = 100_000_000

    /// What stands before a job's number in its id.
    let prefix: String
    /// What stands behind it.
    let suffix = "-1760000000"
    let count: Int
    let diskCount: Int
    /// The jobs are every so manieth of those that the table has.
    let spacing: Int
    private let stride: Int

    init(prefix: String, count: Int, diskCount: Int, spacing: Int = 1) {
        self.prefix = prefix
        self.count = count
        self.diskCount = diskCount
        self.spacing = spacing
        // Neighbours in time are far apart in the table, and all jobs come once before any comes again.
        var stride = max(1, Int(Double(count) * 0.618))
        while Self.greatestCommonDivisor(stride, count) != 1 { stride += 1 }
        self.stride = stride
    }

    /// The number of a job in its id.
    func number(_ job: Int) -> Int { job * spacing }

    func id(_ job: Int) -> String {
        let digits = String(number(job))
        return prefix + String(repeating: "0", count: Self.digitCount - digits.count) + digits + suffix
    }

    /// The job that message `number` goes to.
    func job(_ number: Int) -> Int { number % count * stride % count }

    func seq(_ number: Int) -> Int64 { Self.seqMin + Int64(number) }

    func diskBytes(_ number: Int) -> Int64 { Self.diskBytesMin + Int64(number) * Self.bytesPerMessage }

    func bytes(_ number: Int) -> Int64 { diskBytes(number) * Int64(diskCount) }

    var total: Int64 { Self.diskTotal * Int64(diskCount) }

    func speed(_ number: Int) -> Int64 { 500_000_000 + Int64(number % 1000) }

    func etaSeconds(_ number: Int) -> Int64 { 1000 + Int64(number % 4096) }

    private static func greatestCommonDivisor(_ first: Int, _ second: Int) -> Int {
        second == 0 ? first : greatestCommonDivisor(second, first % second)
    }
}
