import JobModel
import TestSupport
import Testing

@testable import Wire

/// Numbers on the wire: those of up to eight bytes are read and written as one word where there is room.
@Suite struct VarintTests {
    /// The encoding as protobuf's documentation has it.
    private static func plain(_ value: UInt64) -> [UInt8] {
        var (bytes, rest): ([UInt8], UInt64) = ([], value)
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static let numbers: [UInt64] =
        [0, .max] + (0..<64).flatMap { [1 << $0, (1 << $0) - 1, 0xA5C3_96F0_1B2D_4E78 >> $0] }

    @Test(arguments: [0, 1, 7, 8, 20])
    func `a number of any length is written as it should be, however much room is behind it`(room: Int) {
        for number in Self.numbers {
            let plain = Self.plain(number)
            let written = [UInt8](capacity: 1 + plain.count + room) { $0.field(1, number) }
            #expect(written == [8] + plain, "\(number)")
        }
    }

    @Test(arguments: [0, 1, 6, 7, 8, 20])
    func `a number of any length is read, whatever is behind it`(count: Int) {
        for number in Self.numbers {
            for byte in [0, 0x7F, 0xFF] as [UInt8] {
                let plain = Self.plain(number)
                var reader = ProtobufReader(
                    [1, 2] + plain + [UInt8](repeating: byte, count: count),
                    from: 2
                )
                #expect(reader.varint() == number)
                #expect(reader.place == 2 + plain.count)
            }
        }
    }

    @Test func `a number that is cut is none`() {
        for number in Self.numbers {
            let plain = Self.plain(number)
            for end in plain.indices {
                var reader = ProtobufReader(Array(plain[..<end]), from: 0)
                #expect(reader.varint() == nil)
            }
        }
    }

    @Test func `zeros at the end of a number change nothing, and more than 64 bits are none`() {
        for length in 1...10 {
            for behind in [0, 12] {
                let rest = [UInt8](repeating: 0, count: behind)
                let padded = [UInt8](repeating: 0x80, count: length - 1) + [0] + rest
                var reader = ProtobufReader(padded, from: 0)
                #expect(reader.varint() == 0 && reader.place == length)
            }
        }
        for wrong in [[UInt8](repeating: 0xFF, count: 9) + [2], [UInt8](repeating: 0x80, count: 10) + [0]] {
            var reader = ProtobufReader(wrong + [UInt8](repeating: 0, count: 12), from: 0)
            #expect(reader.varint() == nil)
        }
    }

    @Test(arguments: UInt64(0)..<20)
    func `a batch that ends anywhere is read as the generated code reads it, or not at all`(
        seed: UInt64
    )
        throws
    {
        var generator = SplitMix64(seed: seed)
        let batch = EnvelopeBatch(
            sender: [1, 2],
            envelopes: try (0..<3).map {
                let report = try PlainFormTests.report(using: &generator)
                return Envelope(messageID: 300 + UInt64($0), ageMilliseconds: 7, message: .report(report))
            }
        )
        let body = try batch.encoded().dropFirst(Frame.headerByteCount)
        for end in body.indices {
            // Texts are long; all their places are alike.
            if body.count > 2000, end % 61 != 0 { continue }
            let frame = Frame.wrap(Array(body[..<end]), kind: .envelopes)
            var reader = ReportReader(frame, from: Frame.headerByteCount)
            guard let read = reader.batch() else { continue }
            let generated = try EnvelopeBatch(generated: frame)
            #expect(read.envelopes == generated.envelopes, "seed \(seed), \(end) bytes")
            #expect(read.envelopes.count < 3)
        }
    }
}
