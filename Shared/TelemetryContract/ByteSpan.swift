extension Span<UInt8> {
    /// The eight bytes from the offset on, the first one lowest. Traps beyond the end.
    func word(at offset: Int) -> UInt64 {
        // The load checks its bounds; it counts as unsafe only for types that some bit patterns do not fit.
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The same, with zeros for what is behind the end. Traps where there are fewer than eight bytes in all.
    @inline(__always)
    func paddedWord(at offset: Int) -> UInt64 {
        let excess = Swift.max(0, offset &+ 8 &- count)
        return word(at: offset &- excess) >> UInt64(truncatingIfNeeded: 8 &* excess)
    }

    private func half(at offset: Int) -> UInt32 {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }

    /// The number that the digits at the offset make, and how many they are: eight at the most. Traps where fewer than
    /// eight bytes are left.
    @inline(__always)
    func digits(at offset: Int) -> (value: UInt64, count: Int) { word(at: offset).digits }

    /// Whether both hold the same bytes; eight at a time, since names are compared more than anything else.
    func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        guard count >= 8 else {
            guard count >= 4 else {
                for index in indices where self[index] != other[index] { return false }
                return true
            }
            return half(at: 0) == other.half(at: 0) && half(at: count - 4) == other.half(at: count - 4)
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

extension UInt64 {
    /// The number that the digits at the beginning of eight bytes make, and how many they are. The first byte is the lowest.
    @inline(__always)
    var digits: (value: UInt64, count: Int) {
        let values = self ^ 0x3030_3030_3030_3030
        // In its upper half a digit has no bit, and with six more none either; a carry comes only behind what is none.
        let others = (values | (values &+ 0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0
        let count = others.trailingZeroBitCount / 8
        // The digits move to the word's end, behind zeros; then each two, four and eight become one number.
        let digits = values << UInt64(64 - 8 * count)
        let pairs = digits &* 10 &+ digits >> 8
        let fours =
            (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
            &+ (pairs >> 16 & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
        return (fours >> 32, count)
    }

    /// Ten to the power of 0...8.
    @inline(__always)
    static func powerOfTen(_ exponent: Int) -> UInt64 {
        switch exponent {
        case 0: 1
        case 1: 10
        case 2: 100
        case 3: 1000
        case 4: 10_000
        case 5: 100_000
        case 6: 1_000_000
        case 7: 10_000_000
        default: 100_000_000
        }
    }
}

extension OutputSpan<UInt8> {
    /// Appends a number in decimal digits: 20 bytes at the most.
    package mutating func append(decimal value: Int64) {
        if 0..<10 ~= value { return append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
        // 2^63 has 19 digits.
        var digits = [19 of UInt8](repeating: 0)
        var start = 19
        var rest = value.magnitude
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if value < 0 { append(UInt8(ascii: "-")) }
        for place in start..<19 { append(digits[place]) }
    }

    /// Appends the bytes of others, all at once.
    package mutating func append(copying contents: Span<UInt8>) {
        // What it copies is as long as it says; the room behind `count` is checked.
        unsafe withUnsafeMutableBufferPointer { bytes, count in
            unsafe contents.withUnsafeBytes { contents in
                let all = UnsafeMutableRawBufferPointer(bytes)
                unsafe UnsafeMutableRawBufferPointer(rebasing: all[count...]).copyMemory(from: contents)
                count += contents.count
            }
        }
    }

    /// Appends a text's bytes.
    package mutating func append(copying text: StaticString) {
        // A static string's bytes live as long as the program.
        unsafe append(copying: Span(_unsafeStart: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
