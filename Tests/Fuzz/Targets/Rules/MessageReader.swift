import JobModel

/// Makes messages out of bytes, each valid in itself as the decoder's are; any bytes will do.
struct MessageReader {
    /// One thing that happens to a job.
    enum Step {
        case message(JobMessage)
        /// What the stale-detector writes after a silence.
        case stall, presumeFailed
    }

    private var rest: ArraySlice<UInt8>
    private let jobID: JobID

    init(_ input: [UInt8], jobID: JobID) {
        rest = input[...]
        self.jobID = jobID
    }

    /// The next thing that happens. nil at the end of the bytes.
    mutating func next() -> Step? {
        guard let kind = rest.popFirst() else { return nil }
        switch kind {
        case UInt8(ascii: "R"): return .message(.registration(registration()))
        case UInt8(ascii: "C"): return .message(.completion(completion()))
        case UInt8(ascii: "X"):
            return .message(.cancel(CancelRequest(jobID: jobID, reason: flag() ? "maintenance" : nil)))
        case UInt8(ascii: "s"): return .stall
        case UInt8(ascii: "f"): return .presumeFailed
        case UInt8(ascii: "o"): return .message(.report(report(isOld: true)))
        default: return .message(.report(report(isOld: false)))
        }
    }

    private mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    private mutating func flag() -> Bool { byte() & 1 == 1 }

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[Int(byte()) % values.count] }

    /// Small numbers, most of the time; some that are as large as they can be.
    private mutating func count() -> Int64 {
        switch byte() {
        case let small where small < 0xF0: Int64(small)
        case 0xFF: .max
        case 0xFE: .max - 1
        case 0xFD: .max / 2 + 1
        case 0xFC: 1 << 40
        default: Int64(byte()) << 8 | Int64(byte())
        }
    }

    private mutating func maybeCount() -> Int64? { flag() ? count() : nil }

    /// One of the first, or the last.
    private mutating func attempt() -> Int64 {
        let byte = byte()
        return byte == 0xFF ? Registration.attemptMax : Int64(byte % 4) + 1
    }

    /// Numbers of disks fit together, as the decoder sees to.
    private mutating func fitting(_ count: Int) -> [Int64] {
        let numbers = (0..<count).map { _ in self.count() }
        let most = Int64.max / Int64(max(count, 1))
        return numbers.map { min($0, most) }
    }

    private mutating func registration() -> Registration {
        let diskCount = Int(byte() % 4) + 1
        let totals = fitting(diskCount)
        return Registration(
            jobID: jobID,
            vmName: pick(["vm", "vm", "vm", "other"]),
            backupType: pick([.full, .full, .incremental, .differential]),
            disks: (0..<diskCount).map { disk in
                RegisteredDisk(index: Int32(disk), total: flag() ? totals[disk] : nil)
            },
            announcesTelemetry: flag(),
            attempt: flag() ? self.attempt() : nil
        )
    }

    private mutating func completion() -> DiskCompletion {
        DiskCompletion(
            jobID: jobID,
            diskIndex: Int32(byte() % 5),
            changeID: pick(["52 66/5440", "52 66/5441"]),
            bytes: count(),
            attempt: flag() ? self.attempt() : nil
        )
    }

    private mutating func report(isOld: Bool) -> Report {
        let diskCount = Int(byte() % 5)
        let (bytes, totals) = (fitting(diskCount), fitting(diskCount))
        return Report(
            jobID: jobID,
            status: pick(ReportedStatus.allCases),
            phase: pick(["transferring", "snapshot", "finalizing", "completed", ""]),
            bytes: count(),
            total: maybeCount(),
            speed: maybeCount(),
            etaSeconds: flag() ? Int32(clamping: count()) : nil,
            percentHundredths: flag() ? Int32(byte()) * 39 : nil,
            disks: (0..<diskCount).map { disk in
                DiskReport(
                    index: Int32(disk),
                    bytes: bytes[disk],
                    total: flag() ? totals[disk] : nil,
                    status: pick(DiskStatus.allCases)
                )
            },
            error: byte() % 8 == 7 ? "read error at 4096" : nil,
            timestampMilliseconds: isOld && flag() ? Int64(byte()) * 1000 : nil,
            attempt: !isOld && flag() ? self.attempt() : nil,
            seq: isOld ? nil : max(1, count())
        )
    }
}
