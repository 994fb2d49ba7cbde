internal import JobModel

/// Writes a batch of envelopes as protobuf behind the frame's header.
///
/// Reports are nearly all that there is to send, and the generated code makes objects of each before it writes it. So
/// they are written from the model itself, field by field in the order of their numbers, which makes the same bytes;
/// all else is left to the generated code.
struct EnvelopeEncoder {
    /// What most reports take, so that the bytes seldom move.
    private static let usualByteCount = 256

    private var writer: ProtobufWriter
    /// Reports are about as long as the one before.
    private var likelyReportLength = usualByteCount

    /// Writes a batch for the wire over what is there.
    static func encode(_ batch: EnvelopeBatch, into frame: inout [UInt8]) throws(WireError) {
        var encoder = EnvelopeEncoder(writer: ProtobufWriter())
        swap(&frame, &encoder.writer.bytes)
        defer { swap(&frame, &encoder.writer.bytes) }
        encoder.writer.bytes.removeAll(keepingCapacity: true)
        encoder.writer.bytes.reserveCapacity(
            64 + usualByteCount * (batch.envelopes.count + batch.beats.count)
        )
        Frame.begin(&encoder.writer.bytes, kind: .envelopes)
        if !batch.sender.isEmpty { encoder.writer.field(1, batch.sender) }
        for envelope in batch.envelopes { try encoder.write(envelope) }
        for beat in batch.beats { encoder.writer.field(3, try serialized(WireBeat(beat))) }
        Frame.end(&encoder.writer.bytes)
    }

    private mutating func write(_ envelope: Envelope) throws(WireError) {
        guard case .report(let report) = envelope.message else {
            return writer.field(2, try serialized(WireEnvelope(envelope)))
        }
        var reportLength = likelyReportLength
        writer.message(2, likelyLength: reportLength + 16) { writer in
            writer.field(1, nonZero: envelope.messageID)
            writer.field(2, nonZero: UInt64(envelope.ageMilliseconds))
            reportLength = writer.message(10, likelyLength: reportLength) { Self.write(report, &$0) }
        }
        likelyReportLength = reportLength
    }

    private static func write(_ report: Report, _ writer: inout ProtobufWriter) {
        writer.field(1, nonEmpty: report.jobID.rawValue)
        writer.field(2, nonZero: UInt64(WireReportedStatus(report.status).rawValue))
        writer.field(3, nonEmpty: report.phase)
        writer.field(4, nonZero: UInt64(bitPattern: report.bytes))
        if let value = report.total { writer.field(5, UInt64(bitPattern: value)) }
        if let value = report.speed { writer.field(6, UInt64(bitPattern: value)) }
        // A negative number of 32 bits takes ten bytes as one of 64 does.
        if let value = report.etaSeconds { writer.field(7, UInt64(bitPattern: Int64(value))) }
        if let value = report.percentHundredths { writer.field(8, UInt64(bitPattern: Int64(value))) }
        for disk in report.disks {
            writer.message(9, likelyLength: 24) { Self.write(disk, &$0) }
        }
        if let value = report.error { writer.field(10, value) }
        if let value = report.timestampMilliseconds { writer.field(11, zigzag: value) }
        if let value = report.attempt { writer.field(12, UInt64(bitPattern: value)) }
        if let value = report.seq { writer.field(13, UInt64(bitPattern: value)) }
        writer.field(14, nonZero: UInt64(bitPattern: report.ageMilliseconds))
    }

    private static func write(_ disk: DiskReport, _ writer: inout ProtobufWriter) {
        writer.field(1, nonZero: UInt64(bitPattern: Int64(disk.index)))
        writer.field(2, nonZero: UInt64(bitPattern: disk.bytes))
        if let value = disk.total { writer.field(3, UInt64(bitPattern: value)) }
        writer.field(4, nonZero: UInt64(WireDiskStatus(disk.status).rawValue))
    }
}
