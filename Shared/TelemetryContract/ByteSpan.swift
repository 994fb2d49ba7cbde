extension Span<UInt8> {
    /// The eight bytes from the offset on, the first one lowest. Traps beyond the end.
    func word(at offset: Int) -> UInt64 {
        // The load checks its bounds; it counts as unsafe only for types that some bit patterns do not fit.
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Whether both hold the same bytes; eight at a time, since names are compared more than anything else.
    func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        guard count >= 8 else {
            for index in indices where self[index] != other[index] { return false }
            return true
        }
        var offset = 0
        while offset < count - 8 {
            guard word(at: offset) == other.word(at: offset) else { return false }
            offset += 8
        }
        return word(at: count - 8) == other.word(at: count - 8)
    }

    /// The offset of the first byte, from an offset on, that a JSON string treats specially: a quote, a
    /// backslash, a control character or a byte of a longer character; the end if there is none.
    func endOfPlainText(from start: Int) -> Int {
        var index = start
        while index + 8 <= count {
            let special = Self.special(word(at: index))
            guard special == 0 else { return index + special.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < count {
            let byte = self[index]
            if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                break
            }
            index += 1
        }
        return index
    }

    /// Marks the special bytes of a word by their top bit. A borrow may mark a byte behind the first special
    /// one falsely, so only the lowest mark counts.
    private static func special(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones * UInt64(UInt8(ascii: "\"")))
        let backslashes = word ^ (ones * UInt64(UInt8(ascii: "\\")))
        let marks =
            (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes | (word &- ones * 0x20) | word
        return marks & (ones * 0x80)
    }
}

extension [UInt8] {
    /// Appends a number in decimal digits.
    mutating func append(decimal value: Int64) {
        // 2^63 has 19 digits.
        var digits = [19 of UInt8](repeating: 0)
        var start = 19
        var rest = value.magnitude
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        append(addingCapacity: 20) { room in
            if value < 0 { room.append(UInt8(ascii: "-")) }
            for place in start..<19 { room.append(digits[place]) }
        }
    }
}
