internal import JobModel

/// Reads the answers that nearly all are: numbers, and perhaps a sentence.
///
/// The generated code makes objects of each, which then become ours. This reads ours at once where every field is one
/// that it knows, in the plainest of its encodings; at anything else it gives up, and the generated code reads the whole
/// batch.
struct AnswerReader {
    private var reader: ProtobufReader

    /// - Parameters:
    ///   - bytes: a frame.
    ///   - start: where its body begins; it ends with the frame.
    init(_ bytes: [UInt8], from start: Int) {
        reader = ProtobufReader(bytes, from: start)
    }

    /// The answers of a batch. nil: they are for the generated code.
    mutating func answers() -> [AnswerEnvelope]? {
        var answers: [AnswerEnvelope] = []
        // No answer takes less.
        answers.reserveCapacity((reader.bytes.count - reader.place) / 16)
        while !reader.isAtEnd {
            guard reader.varint() == ProtobufReader.bytes(1), let end = reader.end(),
                let envelope = answer(until: end)
            else { return nil }
            answers.append(envelope)
        }
        return answers
    }

    private mutating func answer(until end: Int) -> AnswerEnvelope? {
        // One by one: an answer that is filled member by member is copied on its way out.
        var (id, attempt, storedSeq): (UInt64, Int64, Int64) = (0, 0, 0)
        var (verdict, detail) = (Verdict.unavailable, "")
        var jobStatus: JobStatus?
        var command: ClientCommand?
        while reader.place < end {
            let tag = reader.varint()
            if tag == ProtobufReader.bytes(6) {
                guard let text = reader.text() else { return nil }
                detail = text
                continue
            }
            guard let value = reader.varint() else { return nil }
            switch tag {
            case ProtobufReader.number(1):
                id = value
            case ProtobufReader.number(2):
                guard value < 0x80, let known = Verdict(WireVerdict(rawValue: Int(value)) ?? .unspecified)
                else { return nil }
                verdict = known
            case ProtobufReader.number(3):
                guard value < 0x80,
                    let known = JobStatus(WireJobStatus(rawValue: Int(value)) ?? .unspecified)
                else { return nil }
                jobStatus = known
            case ProtobufReader.number(4):
                attempt = Int64(bitPattern: value)
            case ProtobufReader.number(5):
                storedSeq = Int64(bitPattern: value)
            case ProtobufReader.number(7):
                guard value < 0x80,
                    let known = ClientCommand(WireCommand(rawValue: Int(value)) ?? .unspecified)
                else { return nil }
                command = known
            default:
                return nil
            }
        }
        guard reader.place == end else { return nil }
        return AnswerEnvelope(
            messageID: id,
            answer: Answer(
                verdict,
                jobStatus: jobStatus,
                attempt: attempt,
                storedSeq: storedSeq,
                detail: detail,
                command: command
            )
        )
    }
}
