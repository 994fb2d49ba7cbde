internal import JobModel

/// Reads what nearly every batch is, reports of progress, in one pass over the bytes.
///
/// It knows as much of protobuf's encoding as they need. Whatever it meets beside makes it give up (nil), and the
/// generated code reads the batch from its beginning: what a batch means, and whether it means anything, is never
/// decided here alone.
struct ReportReader {
    private let bytes: [UInt8]
    private var place: Int

    /// - Parameters:
    ///   - bytes: a frame.
    ///   - start: where its body begins; it ends with the frame.
    init(_ bytes: [UInt8], from start: Int) {
        self.bytes = bytes
        place = start
    }

    /// The sender and the envelopes of a batch. nil: the generated code has to read it.
    mutating func batch() -> (sender: [UInt8], envelopes: [Envelope])? {
        var sender: [UInt8]?
        var envelopes: [Envelope] = []
        envelopes.reserveCapacity(bytes.count / 128)
        while place < bytes.count {
            switch varint() {
            case Self.tag(1, .bytes):
                guard sender == nil, let end = length() else { return nil }
                sender = Array(bytes[place..<end])
                place = end
            case Self.tag(2, .bytes):
                guard let end = length(), let envelope = envelope(until: end) else { return nil }
                envelopes.append(envelope)
            default: return nil
            }
        }
        return (sender ?? [], envelopes)
    }

    private mutating func envelope(until end: Int) -> Envelope? {
        var messageID: UInt64 = 0
        var age: UInt64 = 0
        var report: Report?
        while place < end {
            switch varint() {
            case Self.tag(1, .varint):
                guard let value = varint() else { return nil }
                messageID = value
            case Self.tag(2, .varint):
                guard let value = varint(), value <= UInt32.max else { return nil }
                age = value
            case Self.tag(10, .bytes):
                // A second one would be merged into the first.
                guard report == nil, let end = length(), let read = self.report(until: end) else {
                    return nil
                }
                report = read
            default: return nil
            }
        }
        guard place == end, let report else { return nil }
        return Envelope(messageID: messageID, ageMilliseconds: UInt32(age), message: .report(report))
    }

    private mutating func report(until end: Int) -> Report? {
        var jobID: JobID?
        var status: ReportedStatus?
        var (phase, bytesDone): (String, Int64) = ("", 0)
        var total: Int64?
        var speed: Int64?
        var eta: Int32?
        var percent: Int32?
        var disks: [DiskReport] = []
        var error: String?
        var timestamp: Int64?
        var attempt: Int64?
        var seq: Int64?
        while place < end {
            let tag = varint()
            switch tag {
            case Self.tag(1, .bytes):
                guard let text = text(), let id = JobID(text) else { return nil }
                jobID = id
            case Self.tag(3, .bytes):
                guard let text = text() else { return nil }
                phase = text
            case Self.tag(9, .bytes):
                guard let end = length(), let disk = disk(until: end) else { return nil }
                disks.append(disk)
            case Self.tag(10, .bytes):
                guard let text = text() else { return nil }
                error = text
            default:
                guard let value = varint() else { return nil }
                switch tag {
                case Self.tag(2, .varint): status = Self.status(value)
                case Self.tag(4, .varint): bytesDone = Int64(bitPattern: value)
                case Self.tag(5, .varint): total = Int64(bitPattern: value)
                case Self.tag(6, .varint): speed = Int64(bitPattern: value)
                case Self.tag(7, .varint): eta = Int32(truncatingIfNeeded: value)
                case Self.tag(8, .varint): percent = Int32(truncatingIfNeeded: value)
                case Self.tag(11, .varint): timestamp = Int64(bitPattern: value >> 1) ^ -Int64(value & 1)
                case Self.tag(12, .varint): attempt = Int64(bitPattern: value)
                case Self.tag(13, .varint): seq = Int64(bitPattern: value)
                default: return nil
                }
            }
        }
        guard place == end, let jobID, let status else { return nil }
        return Report(
            jobID: jobID,
            status: status,
            phase: phase,
            bytes: bytesDone,
            total: total,
            speed: speed,
            etaSeconds: eta,
            percentHundredths: percent,
            disks: disks,
            error: error,
            timestampMilliseconds: timestamp,
            attempt: attempt,
            seq: seq
        )
    }

    private mutating func disk(until end: Int) -> DiskReport? {
        var index: Int32 = 0
        var bytesDone: Int64 = 0
        var total: Int64?
        var status: DiskStatus?
        while place < end {
            guard let tag = varint(), let value = varint() else { return nil }
            switch tag {
            case Self.tag(1, .varint): index = Int32(truncatingIfNeeded: value)
            case Self.tag(2, .varint): bytesDone = Int64(bitPattern: value)
            case Self.tag(3, .varint): total = Int64(bitPattern: value)
            case Self.tag(4, .varint):
                status = Int(exactly: value).flatMap { WireDiskStatus(rawValue: $0) }
                    .flatMap { DiskStatus($0) }
            default: return nil
            }
        }
        guard place == end, let status else { return nil }
        return DiskReport(index: index, bytes: bytesDone, total: total, status: status)
    }

    private static func status(_ value: UInt64) -> ReportedStatus? {
        Int(exactly: value).flatMap { WireReportedStatus(rawValue: $0) }.flatMap { ReportedStatus($0) }
    }

    private enum WireType: UInt64 {
        case varint = 0
        case bytes = 2
    }

    private static func tag(_ field: UInt64, _ type: WireType) -> UInt64 { field << 3 | type.rawValue }

    /// The next number. nil: there is none, or it has more than ten bytes.
    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while place < bytes.count, shift < 64 {
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return shift == 63 && byte > 1 ? nil : value }
            shift += 7
        }
        return nil
    }

    /// Where the field that begins here ends.
    private mutating func length() -> Int? {
        guard let count = varint(), count <= UInt64(bytes.count - place) else { return nil }
        return place + Int(count)
    }

    private mutating func text() -> String? {
        guard let end = length() else { return nil }
        defer { place = end }
        return String(validating: bytes[place..<end], as: UTF8.self)
    }
}
