import JobModel
import TestSupport
import Testing

@Suite struct IdentifierTests {
    private static let parts = ["backup-", "a", "b", "ä", "-17", "99", "漢", "é", "0", "vm-12345678"]

    @Test(arguments: UInt64(0)..<50)
    func `ids are ordered and told apart by their bytes, however much of them is looked at at once`(
        seed: UInt64
    ) throws {
        var generator = SplitMix64(seed: seed)
        let ids = try (0..<40).map { _ in
            let count = Int.random(in: 1...6, using: &generator)
            let text = (0..<count).map { _ in Self.parts.randomElement(using: &generator) ?? "" }.joined()
            return try #require(JobID(text))
        }
        let shared = ids.map { $0.sharedByteCount(with: ids[0]) }.min() ?? 0
        for left in ids {
            for right in ids {
                let bytes = (Array(left.rawValue.utf8), Array(right.rawValue.utf8))
                let isLess = bytes.0.lexicographicallyPrecedes(bytes.1)
                #expect((left < right) == isLess, "\(left) \(right)")
                #expect((left == right) == (bytes.0 == bytes.1), "\(left) \(right)")
                let common = zip(bytes.0, bytes.1).prefix { $0 == $1 }.count
                #expect(left.sharedByteCount(with: right) == common, "\(left) \(right)")
                let keys = (left.sortKey(behind: shared), right.sortKey(behind: shared))
                #expect(keys.0 == keys.1 || (keys.0 < keys.1) == isLess, "\(left) \(right) behind \(shared)")
            }
        }
    }

    @Test func `a plain id is one of visible ASCII characters, and the same as any other of them`() {
        for count in 0...70 {
            let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: count)
            let id = JobID(plain: bytes.span)
            #expect(id == JobID(String(repeating: "x", count: count)))
            for place in [0, count / 2, count - 1] where bytes.indices.contains(place) {
                for byte in UInt8.min...UInt8.max {
                    var bytes = bytes
                    bytes[place] = byte
                    let isPlain = count <= 64 && (0x21...0x7E).contains(byte)
                    let id = JobID(plain: bytes.span)
                    #expect(id == (isPlain ? JobID(String(decoding: bytes, as: UTF8.self)) : nil))
                }
            }
        }
    }
}
