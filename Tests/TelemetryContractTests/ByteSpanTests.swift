import Testing

@testable import TelemetryContract

@Suite struct `Bytes taken eight at a time` {
    @Test(arguments: 1...26)
    func `end the plain text at the first special byte, wherever it is`(count: Int) {
        for place in 0..<count {
            for byte in UInt8.min...UInt8.max {
                var bytes = Array(repeating: UInt8(ascii: "x"), count: count)
                bytes[place] = byte
                let isSpecial = byte < 0x20 || byte >= 0x80 || byte == 0x22 || byte == 0x5C
                let end = bytes.span.endOfPlainText(from: 0)
                #expect(end == (isSpecial ? place : count), "\(byte) at \(place)")
            }
        }
    }

    @Test func `are zeros behind the end`() {
        let bytes = Array(UInt8(1)...20)
        for place in 0...40 {
            var word: UInt64 = 0
            for (shift, byte) in bytes.dropFirst(place).prefix(8).enumerated() {
                word |= UInt64(byte) << (8 * shift)
            }
            #expect(bytes.span.paddedWord(at: place) == word, "\(place)")
        }
    }

    @Test(arguments: 1...26)
    func `differ if any one of them does`(count: Int) {
        let bytes = Array(0..<UInt8(count))
        let isSame = bytes.span.isEqual(to: bytes.span)
        #expect(isSame)
        for place in 0..<count {
            var other = bytes
            other[place] ^= 0x40
            let isSame = bytes.span.isEqual(to: other.span)
            #expect(!isSame, "\(place)")
        }
        let shorter = Array(bytes.dropLast())
        let isSameAsShorter = bytes.span.isEqual(to: shorter.span)
        #expect(!isSameAsShorter)
    }
}
