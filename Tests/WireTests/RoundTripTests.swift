import JobModel
import TestSupport
import Testing

@testable import Wire

@Suite struct RoundTripTests {
    @Test(arguments: UInt64(0)..<200)
    func `any message survives the wire`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let batch = EnvelopeBatch(
            sender: (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) },
            envelopes: try (0..<Int.random(in: 0...5, using: &generator)).map { _ in
                Envelope(
                    messageID: UInt64.random(in: 1 ... .max, using: &generator),
                    ageMilliseconds: UInt32.random(in: .min ... .max, using: &generator),
                    message: try Self.message(using: &generator)
                )
            },
            beats: (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                Beat(
                    messageID: UInt64.random(in: 1 ... .max, using: &generator),
                    ageMilliseconds: UInt32.random(in: .min ... .max, using: &generator),
                    ingest: ["", "hub/127.0.0.1:8082", "größer"].randomElement(using: &generator) ?? "",
                    isInterrupted: Bool.random(using: &generator),
                    signsOff: Bool.random(using: &generator)
                )
            }
        )
        #expect(try EnvelopeBatch(decoding: batch.encoded()) == batch, "seed \(seed)")
    }

    @Test(arguments: UInt64(0)..<200)
    func `any answer survives the wire`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let batch = AnswerBatch(
            answers: try (0..<Int.random(in: 0...5, using: &generator)).map { _ in
                AnswerEnvelope(
                    messageID: UInt64.random(in: 1 ... .max, using: &generator),
                    answer: Answer(
                        try #require(Verdict.allCases.randomElement(using: &generator)),
                        jobStatus: Bool.random(using: &generator)
                            ? nil : JobStatus.allCases.randomElement(using: &generator),
                        attempt: Int64.random(in: 0 ... .max, using: &generator),
                        storedSeq: Int64.random(in: 0 ... .max, using: &generator),
                        detail: Bool.random(using: &generator) ? "" : "warum nicht: 52 66 8c/5440",
                        command: [nil, .cancel, .register].randomElement(using: &generator) ?? nil,
                        problems: [Problem(pointer: "/disks/0", detail: "x")]
                    )
                )
            }
        )
        #expect(try AnswerBatch(decoding: batch.encoded()) == batch, "seed \(seed)")
    }

    /// Hostile or merely damaged bytes among them: the reader in one pass never says anything but what the generated
    /// code says.
    @Test(arguments: UInt64(0)..<400)
    func `reports are read in one pass as the generated code reads them`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let batch = EnvelopeBatch(
            sender: [1, 2, 3],
            envelopes: try (0..<Int.random(in: 0...4, using: &generator)).map { number in
                var message = try Self.message(using: &generator)
                while seed % 4 != 0, !Self.isReport(message) { message = try Self.message(using: &generator) }
                return Envelope(messageID: UInt64(number), ageMilliseconds: 7, message: message)
            }
        )
        var frame = try batch.encoded()
        if seed % 4 == 1 {
            var reader = ReportReader(frame, from: 8)
            #expect(reader.batch()?.envelopes == batch.envelopes, "seed \(seed)")
        }
        for _ in 0..<200 {
            var reader = ReportReader(frame, from: 8)
            if let read = reader.batch() {
                let generated = try EnvelopeBatch(generated: frame)
                #expect(generated.refused.isEmpty && generated.beats.isEmpty, "seed \(seed), \(frame)")
                #expect(generated.sender == read.sender, "seed \(seed), \(frame)")
                #expect(generated.envelopes == read.envelopes, "seed \(seed), \(frame)")
            }
            guard frame.count > 8 else { break }
            let place = Int.random(in: 8..<frame.count, using: &generator)
            frame[place] = UInt8.random(in: .min ... .max, using: &generator)
        }
    }

    private static func isReport(_ message: JobMessage) -> Bool {
        if case .report = message { return true }
        return false
    }

    @Test(arguments: UInt64(0)..<20)
    func `every strict prefix is refused`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let envelopes = EnvelopeBatch(
            sender: [1, 2],
            envelopes: [
                Envelope(messageID: 7, ageMilliseconds: 1, message: try Self.message(using: &generator))
            ]
        )
        let answers = AnswerBatch(answers: [AnswerEnvelope(messageID: 7, answer: Answer(.applied))])
        let (envelopeBytes, answerBytes) = (try envelopes.encoded(), answers.encoded())
        for end in 0..<envelopeBytes.count {
            #expect(throws: WireError.self) { try EnvelopeBatch(decoding: Array(envelopeBytes[..<end])) }
        }
        for end in 0..<answerBytes.count {
            #expect(throws: WireError.self) { try AnswerBatch(decoding: Array(answerBytes[..<end])) }
        }
    }

    @Test func `a message of a newer version is refused by name`() throws {
        var bytes = AnswerBatch(answers: []).encoded()
        bytes[2] = 9
        #expect(throws: WireError(code: .version(9))) { try AnswerBatch(decoding: bytes) }
    }

    @Test func `answers are not taken for envelopes`() throws {
        let bytes = AnswerBatch(answers: []).encoded()
        #expect(throws: WireError(code: .foreign)) { try EnvelopeBatch(decoding: bytes) }
    }

    @Test(arguments: UInt64(0)..<500)
    func `hostile bytes are refused or read, and never stop the process`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var bytes = try EnvelopeBatch(
            sender: [1],
            envelopes: [
                Envelope(messageID: 1, ageMilliseconds: 0, message: try Self.message(using: &generator))
            ]
        ).encoded()
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let place = Int.random(in: 8..<bytes.count, using: &generator)
            bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
        }
        guard let batch = try? EnvelopeBatch(decoding: bytes) else { return }
        #expect(batch.envelopes.count + batch.refused.count >= 0)
    }

    static func message(using generator: inout SplitMix64) throws -> JobMessage {
        let id = try #require(JobID("backup-vm-\(UInt32.random(in: .min ... .max, using: &generator))"))
        func maybe<T>(_ value: T) -> T? { Bool.random(using: &generator) ? value : nil }
        func number() -> Int64 { Int64.random(in: 0 ... .max, using: &generator) }
        switch Int.random(in: 0...3, using: &generator) {
        case 3:
            return .cancel(CancelRequest(jobID: id, reason: maybe("maintenance")))
        case 0:
            return .completion(
                DiskCompletion(
                    jobID: id,
                    diskIndex: 3,
                    changeID: "52 66/5440",
                    bytes: number(),
                    attempt: maybe(number()),
                    ageMilliseconds: maybe(number()) ?? 0
                )
            )
        case 1:
            return .registration(
                Registration(
                    jobID: id,
                    vmName: "wéb",
                    backupType: try #require(BackupType.allCases.randomElement(using: &generator)),
                    repositoryID: maybe("repo-1"),
                    disks: [
                        RegisteredDisk(
                            index: 0,
                            total: maybe(number()),
                            columns: maybe(["vmware_disk_key": .integer(-number())]) ?? [:]
                        )
                    ],
                    announcesTelemetry: Bool.random(using: &generator),
                    attempt: maybe(number()),
                    columns: maybe(["policy_id": .text(""), "disk_id": .integer(number())]) ?? [:],
                    ageMilliseconds: maybe(number()) ?? 0
                )
            )
        default:
            return .report(
                Report(
                    jobID: id,
                    status: try #require(ReportedStatus.allCases.randomElement(using: &generator)),
                    phase: "transferring",
                    bytes: number(),
                    total: maybe(number()),
                    speed: maybe(number()),
                    etaSeconds: maybe(Int32.random(in: 0 ... .max, using: &generator)),
                    percentHundredths: maybe(4250),
                    disks: DiskStatus.allCases.shuffled(using: &generator).enumerated().map {
                        DiskReport(
                            index: Int32($0),
                            bytes: number(),
                            total: maybe(number()),
                            status: $1
                        )
                    },
                    error: maybe("no space"),
                    timestampMilliseconds: maybe(-number()),
                    attempt: maybe(number()),
                    seq: maybe(number()),
                    ageMilliseconds: maybe(number()) ?? 0
                )
            )
        }
    }
}
