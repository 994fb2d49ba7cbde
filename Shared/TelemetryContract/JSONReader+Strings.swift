/// A string as it lies in the bytes: valid UTF-8, its escapes checked but not resolved.
struct JSONString {
    /// Offset of the first byte behind the opening quote.
    let start: Int
    /// Offset of the closing quote.
    let end: Int
    /// Whether a backslash occurs in it.
    let hasEscapes: Bool

    /// Whether it is "".
    var isEmpty: Bool { start == end }
}

extension JSONReader {
    /// Reads the string that begins here, at its opening quote.
    mutating func string() throws(JSONFault) -> JSONString {
        let string = try string(at: position)
        position = string.end + 1
        return string
    }

    /// The string whose opening quote is at the offset.
    private func string(at quote: Int) throws(JSONFault) -> JSONString {
        let start = quote + 1
        var index = start
        var hasEscapes = false
        while true {
            index = bytes.span.endOfPlainText(from: index)
            guard index < bytes.count else { throw fault("a string is not closed", at: quote) }
            let byte = bytes.span[index]
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                index = try escape(at: index)
            } else if byte >= 0x80 {
                index += try sequence(at: index)
            } else {
                throw fault("a string holds a control character that is not escaped", at: index)
            }
        }
        guard index - start <= Self.stringByteCountMax else {
            throw fault("a string has more than \(Self.stringByteCountMax) bytes", at: quote)
        }
        return JSONString(start: start, end: index, hasEscapes: hasEscapes)
    }

    /// The string's bytes, escapes resolved.
    func unescaped(_ string: JSONString) -> [UInt8] {
        guard string.hasEscapes else { return copy(string.start..<string.end) }
        var result: [UInt8] = []
        result.reserveCapacity(string.end - string.start)
        var index = string.start
        while index < string.end {
            let byte = bytes.span[index]
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                index += 1
                continue
            }
            let (scalar, next) = scalar(ofEscapeAt: index)
            result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            index = next
        }
        return result
    }

    /// The string as text.
    func text(_ string: JSONString) -> String {
        guard string.hasEscapes else { return text(string.start..<string.end) }
        return String(decoding: unescaped(string), as: UTF8.self)
    }

    /// The bytes of a range that was read as a string or a number, as text.
    func text(_ range: Range<Int>) -> String {
        // Both are UTF-8, once they are read.
        unsafe String(copying: UTF8Span(unchecked: bytes.span.extracting(range)))
    }

    private func copy(_ range: Range<Int>) -> [UInt8] {
        [UInt8](capacity: range.count) { $0.append(copying: bytes.span.extracting(range)) }
    }

    /// The place of a member's name, or of a string that should be one of a few, among the known ones.
    func index<Name>(of string: JSONString, in names: JSONNames<Name>, guess: Int = 0) -> Int? {
        guard string.hasEscapes else {
            return names.index(of: bytes.span.extracting(string.start..<string.end), guess: guess)
        }
        return names.index(of: unescaped(string).span)
    }

    /// Whether the string, its escapes resolved, is this text byte for byte.
    func isEqual(_ string: JSONString, to text: String) -> Bool {
        guard string.hasEscapes else {
            return bytes.span.extracting(string.start..<string.end).isEqual(to: text.utf8.span)
        }
        return unescaped(string).span.isEqual(to: text.utf8.span)
    }
}

// MARK: - Escapes

extension JSONReader {
    /// Checks the escape that begins at this backslash and tells where it ends.
    private func escape(at start: Int) throws(JSONFault) -> Int {
        guard start + 1 < bytes.count else { throw fault("an escape is cut off", at: start) }
        switch bytes.span[start + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return start + 2
        case UInt8(ascii: "u"):
            break
        default:
            throw fault("there is no such escape", at: start)
        }
        guard let unit = codeUnit(at: start) else {
            throw fault("\\u needs four hexadecimal digits", at: start)
        }
        guard UTF16.isSurrogate(unit) else { return start + 6 }
        guard UTF16.isLeadSurrogate(unit), let trail = codeUnit(at: start + 6), UTF16.isTrailSurrogate(trail)
        else { throw fault("a surrogate has no partner", at: start) }
        return start + 12
    }

    /// The character of an escape that `escape(at:)` has passed, and where the escape ends.
    private func scalar(ofEscapeAt start: Int) -> (Unicode.Scalar, Int) {
        let letter = bytes.span[start + 1]
        guard letter == UInt8(ascii: "u") else {
            switch letter {
            case UInt8(ascii: "b"): return ("\u{8}", start + 2)
            case UInt8(ascii: "f"): return ("\u{C}", start + 2)
            case UInt8(ascii: "n"): return ("\n", start + 2)
            case UInt8(ascii: "r"): return ("\r", start + 2)
            case UInt8(ascii: "t"): return ("\t", start + 2)
            default: return (Unicode.Scalar(letter), start + 2)
            }
        }
        let unit = codeUnit(at: start) ?? 0xFFFD
        guard UTF16.isLeadSurrogate(unit), let trail = codeUnit(at: start + 6) else {
            return (Unicode.Scalar(unit) ?? "\u{FFFD}", start + 6)
        }
        let value = 0x1_0000 + (UInt32(unit) & 0x3FF) << 10 + UInt32(trail) & 0x3FF
        return (Unicode.Scalar(value) ?? "\u{FFFD}", start + 12)
    }

    /// The UTF-16 code unit that a `\uXXXX` here stands for; nil if there is none.
    private func codeUnit(at start: Int) -> UInt16? {
        guard start + 6 <= bytes.count, bytes.span[start] == UInt8(ascii: "\\"),
            bytes.span[start + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for place in start + 2..<start + 6 {
            let digit: UInt8
            let byte = bytes.span[place]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}

// MARK: - UTF-8

extension JSONReader {
    /// Checks the character of two or more bytes that begins here and tells its length (Unicode, table 3-7).
    private func sequence(at start: Int) throws(JSONFault) -> Int {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch bytes.span[start] {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw fault("a string is not UTF-8", at: start)
        }
        guard start + length <= bytes.count, second.contains(bytes.span[start + 1]),
            (start + 2..<start + length).allSatisfy({ bytes.span[$0] & 0xC0 == 0x80 })
        else { throw fault("a string is not UTF-8", at: start) }
        return length
    }
}

// MARK: - Times

extension JSONReader {
    /// The milliseconds since 1970 UTC that the string stands for; nil unless it is an RFC 3339 time.
    func milliseconds(_ string: JSONString) -> Int64? {
        guard string.hasEscapes else {
            return RFC3339.milliseconds(bytes.span.extracting(string.start..<string.end))
        }
        return RFC3339.milliseconds(unescaped(string).span)
    }
}
