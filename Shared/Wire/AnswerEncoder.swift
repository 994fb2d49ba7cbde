internal import JobModel

/// Writes a batch of answers as protobuf behind the frame's header: field by field in the order of their numbers, which
/// makes the bytes that the generated code makes.
struct AnswerEncoder {
    /// The bytes for the wire.
    static func encode(_ answers: [AnswerEnvelope]) -> [UInt8] {
        let answers = answers.span
        var room = 0
        for index in answers.indices { room += Self.room(for: answers[index]) }
        var frame: [UInt8] = []
        frame.reserveCapacity(Frame.headerByteCount + room)
        Frame.begin(&frame, kind: .answers)
        frame.append(addingCapacity: room) { output in
            for index in answers.indices {
                output.message(1, likelyLength: 32) { write(answers[index], &$0) }
            }
        }
        Frame.end(&frame)
        return frame
    }

    /// The most bytes that an answer takes.
    private static func room(for envelope: borrowing AnswerEnvelope) -> Int {
        var room = ProtobufRoom.prefix + 6 * ProtobufRoom.number + ProtobufRoom.text(envelope.answer.detail)
        for problem in envelope.answer.problems {
            room +=
                ProtobufRoom.prefix + ProtobufRoom.text(problem.pointer) + ProtobufRoom.text(problem.detail)
        }
        return room
    }

    private static func write(_ envelope: borrowing AnswerEnvelope, _ output: inout OutputSpan<UInt8>) {
        output.field(1, nonZero: envelope.messageID)
        output.field(2, nonZero: UInt64(WireVerdict(envelope.answer.verdict).rawValue))
        if let status = envelope.answer.jobStatus {
            output.field(3, nonZero: UInt64(WireJobStatus(status).rawValue))
        }
        output.field(4, nonZero: UInt64(bitPattern: envelope.answer.attempt))
        output.field(5, nonZero: UInt64(bitPattern: envelope.answer.storedSeq))
        output.field(6, nonEmpty: envelope.answer.detail)
        if let command = envelope.answer.command {
            output.field(7, UInt64((command == .cancel ? WireCommand.cancel : .register).rawValue))
        }
        for problem in envelope.answer.problems {
            output.message(8, likelyLength: 128) {
                $0.field(1, nonEmpty: problem.pointer)
                $0.field(2, nonEmpty: problem.detail)
            }
        }
    }
}
