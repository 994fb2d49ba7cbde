/// A set of ASCII characters, to be asked byte by byte.
struct ByteSet {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    /// The characters of a text.
    init(_ text: StaticString) {
        for place in 0..<text.utf8CodeUnitCount {
            let byte = unsafe text.utf8Start[place]
            if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte & 63) }
        }
    }

    func contains(_ byte: UInt8) -> Bool {
        // Bytes beyond ASCII shift by more than there is.
        (byte < 64 ? low >> UInt64(byte) : high >> UInt64(byte &- 64)) & 1 == 1
    }

    /// What a header's name may have (RFC 9110, token).
    static let tokenBytes = ByteSet(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
    /// What a path may have (RFC 3986, pchar and the slash).
    static let pathBytes = ByteSet(
        "-._~%!$&'()*+,;=:@/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
    /// What a query may have.
    static let queryBytes = ByteSet(
        "-._~%!$&'()*+,;=:@/?0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
}

extension Span<UInt8> {
    /// Whether a text stands at an offset.
    @inline(__always)
    func has(_ text: StaticString, at offset: Int) -> Bool {
        // A static string's bytes live as long as the program.
        let text = unsafe Span(_unsafeStart: text.utf8Start, count: text.utf8CodeUnitCount)
        guard offset + text.count <= count else { return false }
        let part = extracting(offset..<offset + text.count)
        guard text.count >= 8 else {
            for place in text.indices where text[place] != part[place] { return false }
            return true
        }
        // Eight at a time, the last ones together with some before them.
        var place = 0
        while place < text.count &- 8 {
            guard part.word(at: place) == text.word(at: place) else { return false }
            place &+= 8
        }
        return part.word(at: text.count &- 8) == text.word(at: text.count &- 8)
    }

    /// Whether one of two ASCII characters stands anywhere.
    func has(either one: Unicode.Scalar, or other: Unicode.Scalar) -> Bool {
        let (ones, others) = (Self.ones &* UInt64(one.value), Self.ones &* UInt64(other.value))
        var index = end(from: 0) { word in
            let (word, other) = (word ^ ones, word ^ others)
            return (word &- Self.ones) & ~word | (other &- Self.ones) & ~other
        }
        while index < count {
            if self[index] == UInt8(ascii: one) || self[index] == UInt8(ascii: other) { return true }
            index += 1
        }
        return false
    }

    /// Whether this is the text, which is in lower case, whatever the case of the letters here.
    func isText(_ text: StaticString) -> Bool {
        let text = unsafe Span(_unsafeStart: text.utf8Start, count: text.utf8CodeUnitCount)
        guard count == text.count else { return false }
        for index in indices where text[index] != self[index] | 0x20 { return false }
        return true
    }
}

// Bytes are looked at eight at a time, as long as there are eight, and marked by their highest bits. What is carried or
// borrowed comes from a byte that is marked itself, and only the first mark counts.
extension Span<UInt8> {
    private static var ones: UInt64 { 0x0101_0101_0101_0101 }

    /// The offset of the first byte, from an offset on, that is neither an ASCII letter nor between two other ASCII
    /// characters; an earlier one where fewer than eight bytes are left.
    func endOfLetters(orFrom first: Unicode.Scalar, to last: Unicode.Scalar, from start: Int) -> Int {
        // A sum has the highest bit from that character on which the number makes 0x80.
        let first = Self.ones &* (0x80 - UInt64(first.value))
        let behind = Self.ones &* (0x7F - UInt64(last.value))
        let (a, behindZ) = (Self.ones * (0x80 - 0x61), Self.ones * (0x7F - 0x7A))
        return end(from: start) { word in
            let low = word & (Self.ones * 0x7F)
            let lower = low | (Self.ones * 0x20)
            let isOther = (low &+ first) & ~(low &+ behind)
            let isLetter = (lower &+ a) & ~(lower &+ behindZ)
            return ~(isOther | isLetter) | word
        }
    }

    /// The offset of the first byte, from an offset on, that is no visible ASCII character and no space; the end if there
    /// is none.
    func endOfVisibleText(from start: Int) -> Int {
        var index = end(from: start) { word in
            (word &- Self.ones * 0x20) | (word &+ Self.ones) | word
        }
        while index < count, self[index] >= 0x20, self[index] <= 0x7E { index += 1 }
        return index
    }

    @inline(__always)
    private func word(at offset: Int) -> UInt64 {
        // The load checks its bounds; it counts as unsafe only for types that some bit patterns do not fit.
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    private func end(from start: Int, _ mark: (UInt64) -> UInt64) -> Int {
        var index = start
        while index + 8 <= count {
            let marks = mark(word(at: index)) & (Self.ones * 0x80)
            guard marks == 0 else { return index + marks.trailingZeroBitCount / 8 }
            index += 8
        }
        return index
    }
}
