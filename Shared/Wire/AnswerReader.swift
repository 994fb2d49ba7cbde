internal import JobModel

/// Reads the answers that nearly all are: numbers, and perhaps a sentence.
///
/// The generated code makes objects of each, which then become ours. This reads ours at once where every field is one
/// that it knows, in the plainest of its encodings; at anything else it gives up, and the generated code reads the whole
/// batch.
struct AnswerReader {
    private var index: Int
    private let end: Int

    /// The answers of a body that lies in the bytes. nil: they are for the generated code.
    static func answers(_ bytes: [UInt8], in body: Range<Int>) -> [AnswerEnvelope]? {
        var reader = AnswerReader(index: body.lowerBound, end: body.upperBound)
        var answers: [AnswerEnvelope] = []
        // No answer takes less.
        answers.reserveCapacity(body.count / 16)
        while reader.index < reader.end {
            guard bytes[reader.index] == 1 << 3 | 2 else { return nil }
            reader.index += 1
            guard let length = reader.varint(bytes), length <= UInt64(reader.end - reader.index) else {
                return nil
            }
            var answer = AnswerReader(index: reader.index, end: reader.index + Int(length))
            guard let envelope = answer.answer(bytes) else { return nil }
            answers.append(envelope)
            reader.index = answer.end
        }
        return answers
    }

    private mutating func answer(_ bytes: [UInt8]) -> AnswerEnvelope? {
        var id: UInt64 = 0
        var answer = Answer(.unavailable)
        while index < end {
            let tag = bytes[index]
            index += 1
            if tag == 6 << 3 | 2 {
                guard let text = text(bytes) else { return nil }
                answer.detail = text
                continue
            }
            guard let value = varint(bytes) else { return nil }
            switch tag {
            case 1 << 3:
                id = value
            case 2 << 3:
                guard value < 0x80, let verdict = Verdict(WireVerdict(rawValue: Int(value)) ?? .unspecified)
                else { return nil }
                answer.verdict = verdict
            case 3 << 3:
                guard value < 0x80,
                    let status = JobStatus(WireJobStatus(rawValue: Int(value)) ?? .unspecified)
                else { return nil }
                answer.jobStatus = status
            case 4 << 3:
                answer.attempt = Int64(bitPattern: value)
            case 5 << 3:
                answer.storedSeq = Int64(bitPattern: value)
            case 7 << 3:
                guard value < 0x80,
                    let command = ClientCommand(WireCommand(rawValue: Int(value)) ?? .unspecified)
                else { return nil }
                answer.command = command
            default:
                return nil
            }
        }
        return AnswerEnvelope(messageID: id, answer: answer)
    }

    /// A number of at most nine bytes. nil also where it is cut or longer.
    private mutating func varint(_ bytes: [UInt8]) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 63, by: 7) {
            guard index < end else { return nil }
            let byte = bytes[index]
            index += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    private mutating func text(_ bytes: [UInt8]) -> String? {
        guard let length = varint(bytes), length <= UInt64(end - index) else { return nil }
        let start = index
        index += Int(length)
        return String(validating: bytes[start..<index], as: UTF8.self)
    }
}
