internal import JobModel

/// Writes a batch of answers as protobuf behind the frame's header: field by field in the order of their numbers, which
/// makes the bytes that the generated code makes.
struct AnswerEncoder {
    /// What most answers take, so that the bytes seldom move.
    private static let usualByteCount = 32

    /// The bytes for the wire.
    static func encode(_ answers: [AnswerEnvelope]) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.bytes.reserveCapacity(Frame.headerByteCount + usualByteCount * answers.count)
        Frame.begin(&writer.bytes, kind: .answers)
        for index in answers.indices {
            writer.message(1, likelyLength: usualByteCount) { write(answers[index], &$0) }
        }
        Frame.end(&writer.bytes)
        return writer.bytes
    }

    private static func write(_ envelope: borrowing AnswerEnvelope, _ writer: inout ProtobufWriter) {
        writer.field(1, nonZero: envelope.messageID)
        writer.field(2, nonZero: UInt64(WireVerdict(envelope.answer.verdict).rawValue))
        if let status = envelope.answer.jobStatus {
            writer.field(3, nonZero: UInt64(WireJobStatus(status).rawValue))
        }
        writer.field(4, nonZero: UInt64(bitPattern: envelope.answer.attempt))
        writer.field(5, nonZero: UInt64(bitPattern: envelope.answer.storedSeq))
        writer.field(6, nonEmpty: envelope.answer.detail)
        if let command = envelope.answer.command {
            writer.field(7, UInt64((command == .cancel ? WireCommand.cancel : .register).rawValue))
        }
        for problem in envelope.answer.problems {
            writer.message(8, likelyLength: 128) {
                $0.field(1, nonEmpty: problem.pointer)
                $0.field(2, nonEmpty: problem.detail)
            }
        }
    }
}
