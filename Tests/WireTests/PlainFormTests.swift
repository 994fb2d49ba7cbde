import Foundation
import JobModel
import TestSupport
import Testing

@testable import Wire

/// What is written and read without the generated code is what the generated code writes and reads.
@Suite struct PlainFormTests {
    private static func generated(_ batch: EnvelopeBatch) throws -> [UInt8] {
        var wire = WireEnvelopes()
        wire.sender = Data(batch.sender)
        wire.envelopes = batch.envelopes.map { WireEnvelope($0) }
        wire.beats = batch.beats.map { WireBeat($0) }
        return Frame.wrap(try serialized(wire), kind: .envelopes)
    }

    /// Numbers at the borders of their lengths on the wire.
    private static func number(using generator: inout SplitMix64) -> Int64 {
        let bits = Int64.random(in: 0...63, using: &generator)
        let border = bits == 63 ? Int64.max : 1 << bits
        return [0, 1, border, border - 1, -border, .min, .max].randomElement(using: &generator) ?? 0
    }

    static func report(using generator: inout SplitMix64) throws -> Report {
        func maybe<T>(_ value: T) -> T? { Bool.random(using: &generator) ? value : nil }
        func number() -> Int64 { Self.number(using: &generator) }
        func text() -> String {
            let count = [0, 1, 40, 127, 128, 300, 20_000].randomElement(using: &generator) ?? 0
            return String(repeating: Bool.random(using: &generator) ? "a" : "ö", count: count)
        }
        return Report(
            jobID: try #require(JobID("backup-\(number())")),
            status: try #require(ReportedStatus.allCases.randomElement(using: &generator)),
            phase: text(),
            bytes: number(),
            total: maybe(number()),
            speed: maybe(number()),
            etaSeconds: maybe(Int32(truncatingIfNeeded: number())),
            percentHundredths: maybe(Int32(truncatingIfNeeded: number())),
            disks: try (0..<Int.random(in: 0...5, using: &generator)).map { _ in
                DiskReport(
                    index: Int32(truncatingIfNeeded: number()),
                    bytes: number(),
                    total: maybe(number()),
                    status: try #require(DiskStatus.allCases.randomElement(using: &generator))
                )
            },
            error: maybe(text()),
            timestampMilliseconds: maybe(number()),
            attempt: maybe(number()),
            seq: maybe(number()),
            ageMilliseconds: Bool.random(using: &generator) ? 0 : number() & .max
        )
    }

    @Test(arguments: UInt64(0)..<300)
    func `a batch is written byte for byte as the generated code writes it`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var batch = EnvelopeBatch(sender: Bool.random(using: &generator) ? [] : [1, 2, 3], envelopes: [])
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let message = try RoundTripTests.message(using: &generator)
            for message in [message, .report(try Self.report(using: &generator))] {
                batch.envelopes.append(
                    Envelope(
                        messageID: UInt64(bitPattern: Self.number(using: &generator)),
                        ageMilliseconds: UInt32(truncatingIfNeeded: Self.number(using: &generator)),
                        message: message
                    )
                )
            }
        }
        if Bool.random(using: &generator) {
            batch.beats = [Beat(messageID: 9, ageMilliseconds: 0, ingest: "hub", isInterrupted: true)]
        }
        var frame: [UInt8] = Array(repeating: 7, count: Int.random(in: 0...9999, using: &generator))
        try batch.encode(into: &frame)
        #expect(frame == (try Self.generated(batch)), "seed \(seed)")
    }

    private static func answer(using generator: inout SplitMix64) -> AnswerEnvelope {
        AnswerEnvelope(
            messageID: UInt64(bitPattern: number(using: &generator)),
            answer: Answer(
                Verdict.allCases.randomElement(using: &generator) ?? .applied,
                jobStatus: Bool.random(using: &generator)
                    ? nil : JobStatus.allCases.randomElement(using: &generator),
                attempt: number(using: &generator),
                storedSeq: number(using: &generator),
                detail: ["", "größer", String(repeating: "a", count: 200)].randomElement(using: &generator)
                    ?? "",
                command: [nil, .cancel, .register].randomElement(using: &generator) ?? nil,
                problems: Int.random(in: 0..<9, using: &generator) == 0
                    ? [Problem(pointer: "", detail: "x")] : []
            )
        )
    }

    @Test(arguments: UInt64(0)..<300)
    func `answers are read as the generated code reads them, also where bytes are wrong`(seed: UInt64) throws
    {
        var generator = SplitMix64(seed: seed)
        let batch = AnswerBatch(
            answers: (0..<Int.random(in: 0...6, using: &generator)).map { _ in Self.answer(using: &generator)
            }
        )
        let frame = batch.encoded()
        #expect(try AnswerBatch(decoding: frame) == batch, "seed \(seed)")
        guard frame.count > Frame.headerByteCount else { return }
        for _ in 0..<50 {
            var bytes = frame
            let place = Int.random(in: Frame.headerByteCount..<bytes.count, using: &generator)
            bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
            let body = Frame.headerByteCount..<bytes.count
            var reader = AnswerReader(bytes, from: body.lowerBound)
            guard let plain = reader.answers() else { continue }
            let wire: WireAnswers = try decode(Array(bytes[body]))
            let generated = wire.answers.map { AnswerEnvelope(messageID: $0.messageID, answer: Answer($0)) }
            #expect(plain == generated, "seed \(seed), byte \(place)")
        }
    }

    @Test(arguments: UInt64(0)..<300)
    func `answers are written as the generated code writes them`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var answers = (0..<Int.random(in: 0...6, using: &generator)).map { _ in Self.answer(using: &generator)
        }
        if seed % 8 == 0 {
            let problems = (0..<3).map { count in
                Problem(pointer: "/disks/\(count)", detail: String(repeating: "ä", count: 60 * count))
            }
            answers.append(AnswerEnvelope(messageID: 0, answer: Answer(.rejected, problems: problems)))
        }
        var wire = WireAnswers()
        wire.answers = answers.map { WireAnswer($0) }
        let generated = Frame.wrap(try serialized(wire), kind: .answers)
        #expect(AnswerBatch(answers: answers).encoded() == generated, "seed \(seed)")
    }

    @Test func `the usual answers need no generated code`() throws {
        let usual = AnswerEnvelope(
            messageID: 7,
            answer: Answer(
                .applied,
                jobStatus: .running,
                attempt: 1,
                storedSeq: 1 << 40,
                detail: "x",
                command: .cancel
            )
        )
        let frame = AnswerBatch(answers: [usual, usual]).encoded()
        var reader = AnswerReader(frame, from: Frame.headerByteCount)
        #expect(reader.answers() == [usual, usual])
    }
}

extension WireAnswer {
    fileprivate init(_ envelope: AnswerEnvelope) {
        self.init()
        let answer = envelope.answer
        messageID = envelope.messageID
        verdict = WireVerdict(answer.verdict)
        if let value = answer.jobStatus { jobStatus = WireJobStatus(value) }
        attempt = answer.attempt
        storedSeq = answer.storedSeq
        detail = answer.detail
        if let value = answer.command { command = value == .cancel ? .cancel : .register }
        problems = answer.problems.map { problem in
            var wire = WireProblem()
            wire.pointer = problem.pointer
            wire.detail = problem.detail
            return wire
        }
    }
}
