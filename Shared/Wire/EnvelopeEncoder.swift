internal import JobModel

/// Writes a batch of envelopes as protobuf behind the frame's header.
///
/// Reports are nearly all that there is to send, and the generated code makes objects of each before it writes it. So
/// they are written from the model itself, field by field in the order of their numbers, which makes the same bytes;
/// all else is left to the generated code.
struct EnvelopeEncoder {
    /// What most reports take, so that the frame seldom grows.
    private static let usualByteCount = 256

    /// Envelopes, and reports in them, are about as long as the one before.
    private var likelyLength = usualByteCount
    private var likelyReportLength = usualByteCount

    /// Writes a batch for the wire over what is there.
    static func encode(_ batch: EnvelopeBatch, into frame: inout [UInt8]) throws(WireError) {
        frame.removeAll(keepingCapacity: true)
        frame.reserveCapacity(64 + usualByteCount * (batch.envelopes.count + batch.beats.count))
        Frame.begin(&frame, kind: .envelopes)
        if !batch.sender.isEmpty { append(1, batch.sender, to: &frame) }
        var encoder = EnvelopeEncoder()
        let envelopes = batch.envelopes.span
        for index in envelopes.indices { try encoder.write(envelopes[index], to: &frame) }
        for beat in batch.beats { append(3, try serialized(WireBeat(beat)), to: &frame) }
        Frame.end(&frame)
    }

    private static func append(_ number: UInt64, _ contents: [UInt8], to frame: inout [UInt8]) {
        frame.append(addingCapacity: ProtobufRoom.prefix + contents.count) { $0.field(number, contents) }
    }

    private mutating func write(
        _ envelope: borrowing Envelope,
        to frame: inout [UInt8]
    ) throws(WireError) {
        guard let room = Self.room(for: envelope.message) else {
            return Self.append(2, try serialized(WireEnvelope(copy envelope)), to: &frame)
        }
        let (id, age, message) = (envelope.messageID, envelope.ageMilliseconds, envelope.message)
        frame.append(addingCapacity: room) { output in
            likelyLength = output.message(2, likelyLength: likelyLength) { output in
                output.field(1, nonZero: id)
                output.field(2, nonZero: UInt64(age))
                likelyReportLength = output.message(10, likelyLength: likelyReportLength) {
                    Self.write(message, &$0)
                }
            }
        }
    }

    /// The most bytes that an envelope with a report takes. nil: it has something else.
    private static func room(for message: JobMessage) -> Int? {
        guard case .report(let report) = message else { return nil }
        let envelope = 2 * ProtobufRoom.prefix + 2 * ProtobufRoom.number
        let texts =
            ProtobufRoom.text(report.jobID.rawValue) + ProtobufRoom.text(report.phase)
            + ProtobufRoom.text(report.error ?? "")
        let disks = report.disks.count * (ProtobufRoom.prefix + 4 * ProtobufRoom.number)
        return envelope + texts + disks + 10 * ProtobufRoom.number
    }

    /// Writes a report's fields. Taken out of its message only here: a closure that holds a report copies it.
    private static func write(_ message: JobMessage, _ output: inout OutputSpan<UInt8>) {
        if case .report(let report) = message { write(report, &output) }
    }

    private static func write(_ report: borrowing Report, _ output: inout OutputSpan<UInt8>) {
        output.field(1, nonEmpty: report.jobID.rawValue)
        output.field(2, nonZero: UInt64(WireReportedStatus(report.status).rawValue))
        output.field(3, nonEmpty: report.phase)
        output.field(4, nonZero: UInt64(bitPattern: report.bytes))
        if let value = report.total { output.field(5, UInt64(bitPattern: value)) }
        if let value = report.speed { output.field(6, UInt64(bitPattern: value)) }
        // A negative number of 32 bits takes ten bytes as one of 64 does.
        if let value = report.etaSeconds { output.field(7, UInt64(bitPattern: Int64(value))) }
        if let value = report.percentHundredths { output.field(8, UInt64(bitPattern: Int64(value))) }
        for disk in report.disks {
            output.message(9, likelyLength: 24) { Self.write(disk, &$0) }
        }
        if let value = report.error { output.field(10, value) }
        if let value = report.timestampMilliseconds { output.field(11, zigzag: value) }
        if let value = report.attempt { output.field(12, UInt64(bitPattern: value)) }
        if let value = report.seq { output.field(13, UInt64(bitPattern: value)) }
        output.field(14, nonZero: UInt64(bitPattern: report.ageMilliseconds))
    }

    private static func write(_ disk: DiskReport, _ output: inout OutputSpan<UInt8>) {
        output.field(1, nonZero: UInt64(bitPattern: Int64(disk.index)))
        output.field(2, nonZero: UInt64(bitPattern: disk.bytes))
        if let value = disk.total { output.field(3, UInt64(bitPattern: value)) }
        output.field(4, nonZero: UInt64(WireDiskStatus(disk.status).rawValue))
    }
}
