internal import JobModel

/// Reads what nearly every batch is, reports of progress, in one pass over the bytes.
///
/// It knows as much of protobuf's encoding as they need. Whatever it meets beside makes it give up (nil), and the
/// generated code reads the batch from its beginning: what a batch means, and whether it means anything, is never
/// decided here alone.
struct ReportReader {
    private var reader: ProtobufReader

    /// - Parameters:
    ///   - bytes: a frame.
    ///   - start: where its body begins; it ends with the frame.
    init(_ bytes: [UInt8], from start: Int) {
        reader = ProtobufReader(bytes, from: start)
    }

    /// The sender and the envelopes of a batch. nil: the generated code has to read it.
    mutating func batch() -> (sender: [UInt8], envelopes: [Envelope])? {
        var sender: [UInt8]?
        var envelopes: [Envelope] = []
        envelopes.reserveCapacity(reader.bytes.count / 128)
        while !reader.isAtEnd {
            switch reader.varint() {
            case ProtobufReader.bytes(1):
                guard sender == nil, let contents = reader.contents() else { return nil }
                sender = Array(contents)
            case ProtobufReader.bytes(2):
                guard let end = reader.end(), let envelope = envelope(until: end) else { return nil }
                envelopes.append(envelope)
            default: return nil
            }
        }
        return (sender ?? [], envelopes)
    }

    private mutating func envelope(until end: Int) -> Envelope? {
        var messageID: UInt64 = 0
        var age: UInt64 = 0
        var message: JobMessage?
        while reader.place < end {
            switch reader.varint() {
            case ProtobufReader.number(1):
                guard let value = reader.varint() else { return nil }
                messageID = value
            case ProtobufReader.number(2):
                guard let value = reader.varint(), value <= UInt32.max else { return nil }
                age = value
            case ProtobufReader.bytes(10):
                // A second one would be merged into the first.
                guard message == nil, let end = reader.end(), let report = report(until: end) else {
                    return nil
                }
                message = report
            default: return nil
            }
        }
        guard reader.place == end, let message else { return nil }
        return Envelope(messageID: messageID, ageMilliseconds: UInt32(age), message: message)
    }

    private mutating func report(until end: Int) -> JobMessage? {
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
        var age: Int64 = 0
        while reader.place < end {
            guard let tag = reader.varint() else { return nil }
            switch tag {
            case ProtobufReader.bytes(1):
                guard let text = reader.text(), let id = JobID(text) else { return nil }
                jobID = id
            case ProtobufReader.bytes(3):
                guard let text = reader.text() else { return nil }
                phase = text
            case ProtobufReader.bytes(9):
                guard let diskEnd = reader.end() else { return nil }
                if disks.isEmpty { disks.reserveCapacity(1 + diskCount(from: diskEnd, until: end)) }
                guard let disk = disk(until: diskEnd) else { return nil }
                disks.append(disk)
            case ProtobufReader.bytes(10):
                guard let text = reader.text() else { return nil }
                error = text
            default:
                guard let value = reader.varint() else { return nil }
                switch tag {
                case ProtobufReader.number(2): status = Self.status(value)
                case ProtobufReader.number(4): bytesDone = Int64(bitPattern: value)
                case ProtobufReader.number(5): total = Int64(bitPattern: value)
                case ProtobufReader.number(6): speed = Int64(bitPattern: value)
                case ProtobufReader.number(7): eta = Int32(truncatingIfNeeded: value)
                case ProtobufReader.number(8): percent = Int32(truncatingIfNeeded: value)
                case ProtobufReader.number(11): timestamp = Int64(bitPattern: value >> 1) ^ -Int64(value & 1)
                case ProtobufReader.number(12): attempt = Int64(bitPattern: value)
                case ProtobufReader.number(13): seq = Int64(bitPattern: value)
                case ProtobufReader.number(14): age = Int64(clamping: value)
                default: return nil
                }
            }
        }
        guard reader.place == end, let jobID, let status else { return nil }
        return .report(
            Report(
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
                seq: seq,
                ageMilliseconds: age
            )
        )
    }

    /// How many disks follow one another, as far as their lengths take one byte, as those of all disks do.
    private func diskCount(from start: Int, until end: Int) -> Int {
        let bytes = reader.bytes.span
        var (count, place) = (0, start)
        while place + 1 < end, UInt64(bytes[place]) == ProtobufReader.bytes(9), bytes[place + 1] < 0x80 {
            count += 1
            place += 2 + Int(bytes[place + 1])
        }
        return count
    }

    private mutating func disk(until end: Int) -> DiskReport? {
        var index: Int32 = 0
        var bytesDone: Int64 = 0
        var total: Int64?
        var status: DiskStatus?
        while reader.place < end {
            guard let tag = reader.varint(), let value = reader.varint() else { return nil }
            switch tag {
            case ProtobufReader.number(1): index = Int32(truncatingIfNeeded: value)
            case ProtobufReader.number(2): bytesDone = Int64(bitPattern: value)
            case ProtobufReader.number(3): total = Int64(bitPattern: value)
            case ProtobufReader.number(4):
                status = Int(exactly: value).flatMap { WireDiskStatus(rawValue: $0) }
                    .flatMap { DiskStatus($0) }
            default: return nil
            }
        }
        guard reader.place == end, let status else { return nil }
        return DiskReport(index: index, bytes: bytesDone, total: total, status: status)
    }

    private static func status(_ value: UInt64) -> ReportedStatus? {
        Int(exactly: value).flatMap { WireReportedStatus(rawValue: $0) }.flatMap { ReportedStatus($0) }
    }
}
