import JobModel

@testable import Wire

/// The wire over hostile bytes: they are read or refused, what was read survives another trip, and a
/// message that is not whole is refused.
///
/// An input is a frame; or `E` and the body of envelopes, `A` and the body of answers, so that mutations
/// need not keep the header's length right.
enum WireTarget {
    static func check(_ input: [UInt8]) throws {
        switch input.first {
        case UInt8(ascii: "E"):
            try checkEnvelopes(Frame.wrap(Array(input.dropFirst()), kind: .envelopes))
        case UInt8(ascii: "A"):
            try checkAnswers(Frame.wrap(Array(input.dropFirst()), kind: .answers))
        default:
            try checkEnvelopes(input)
            try checkAnswers(input)
        }
    }

    private static func checkEnvelopes(_ frame: [UInt8]) throws {
        guard let batch = try? EnvelopeBatch(decoding: frame) else { return }
        let again = try batch.encoded()
        let reread = try EnvelopeBatch(decoding: again)
        try Finding.unless(reread.refused.isEmpty, "what was read is refused after another trip")
        try Finding.unless(
            reread.sender == batch.sender && reread.envelopes == batch.envelopes,
            "read \(batch.envelopes), after another trip \(reread.envelopes)"
        )
        // Each message in a frame is answered: it is read or refused, and none is both.
        try Finding.unless(batch.refused.allSatisfy { !$0.reason.isEmpty }, "a refusal has no reason")
        for other in parts(of: frame) + parts(of: again) {
            guard (try? EnvelopeBatch(decoding: other)) == nil else {
                throw Finding(
                    "\(other.count) of \(frame.count) or \(again.count) bytes were taken for a batch"
                )
            }
        }
    }

    private static func checkAnswers(_ frame: [UInt8]) throws {
        guard let batch = try? AnswerBatch(decoding: frame) else { return }
        let again = batch.encoded()
        let reread = try AnswerBatch(decoding: again)
        try Finding.unless(reread == batch, "read \(batch), after another trip \(reread)")
        for other in parts(of: frame) + parts(of: again) {
            guard (try? AnswerBatch(decoding: other)) == nil else {
                throw Finding(
                    "\(other.count) of \(frame.count) or \(again.count) bytes were taken for answers"
                )
            }
        }
    }

    /// Strict prefixes, some 16 of them, and the frame with a byte too many.
    private static func parts(of frame: [UInt8]) -> [[UInt8]] {
        stride(from: 0, to: frame.count, by: max(1, frame.count / 16)).map { Array(frame[..<$0]) }
            + [Array(frame.dropLast()), frame + [0]]
    }
}
