import Testing

@testable import Ingest

/// What the door looks at eight bytes at a time.
@Suite struct ByteSpanTests {
    @Test(arguments: 0...26)
    func `a character is found wherever it stands`(count: Int) {
        for byte in UInt8.min...UInt8.max {
            let others = Array(repeating: UInt8(ascii: "."), count: count)
            let isThere = others.span.has(either: "/", or: "%")
            #expect(!isThere)
            for place in 0..<count {
                var bytes = others
                bytes[place] = byte
                let isThere = bytes.span.has(either: "/", or: "%")
                #expect(
                    isThere == (byte == UInt8(ascii: "/") || byte == UInt8(ascii: "%")),
                    "\(byte) at \(place)"
                )
            }
        }
    }

    @Test(arguments: ["a", "POST ", "HTTP/1.1", "HTTP/1.1\r", "/api/v1/telemetry/backup/"] as [StaticString])
    func `a text stands where all its bytes do`(text: StaticString) {
        let bytes = Array("\(text)".utf8)
        for offset in 0...9 {
            let before = [UInt8](repeating: 0x20, count: offset)
            let whole = before + bytes + [0x20]
            let isThere = whole.span.has(text, at: offset)
            #expect(isThere)
            for place in bytes.indices {
                var other = before + bytes
                other[offset + place] ^= 1
                let isOtherThere = other.span.has(text, at: offset)
                #expect(!isOtherThere, "\(place)")
                let cut = before + bytes[..<place]
                let isCutThere = cut.span.has(text, at: offset)
                #expect(!isCutThere, "\(place)")
            }
        }
    }
}
