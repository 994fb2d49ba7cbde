internal import JobModel

/// Writes one JSON object, member by member, straight into bytes.
struct JSONWriter {
    private static let hexDigits = Array("0123456789abcdef".utf8)

    private var bytes: [UInt8] = []
    private var needsComma = false

    /// Begins an object.
    init() {
        bytes.reserveCapacity(512)
        bytes.append(UInt8(ascii: "{"))
    }

    /// Ends the object. Not consuming: of a writer that is given away the bytes would be copied first.
    mutating func finished() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// Writes a member that is a string.
    mutating func member(_ name: StaticString, _ text: String) {
        key(name)
        string(text)
    }

    /// Writes a member that is an integer.
    mutating func member(_ name: StaticString, _ value: Int64) {
        key(name)
        bytes.append(decimal: value)
    }

    /// Writes a member that is a time, in UTC with whole seconds.
    mutating func member(_ name: StaticString, atMilliseconds milliseconds: Int64) {
        key(name)
        bytes.append(UInt8(ascii: "\""))
        RFC3339.append(milliseconds: milliseconds, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Writes a member that is a list of problems.
    mutating func member(_ name: StaticString, _ problems: [Problem]) {
        key(name)
        bytes.append(UInt8(ascii: "["))
        for (index, problem) in problems.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "{"))
            needsComma = false
            member("pointer", problem.pointer)
            member("detail", problem.detail)
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// Writes a member that is a list of strings.
    mutating func member(_ name: StaticString, _ texts: [String]) {
        key(name)
        bytes.append(UInt8(ascii: "["))
        for (index, text) in texts.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            string(text)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// Writes a name; ours need no escapes.
    private mutating func key(_ name: StaticString) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        bytes.append(UInt8(ascii: "\""))
        // A static string's bytes live as long as the program.
        unsafe bytes.append(
            contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        )
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        let plain = text.utf8.span
        if plain.endOfPlainText(from: 0) == plain.count {
            unsafe plain.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        } else {
            // Longer characters end here, too: they seldom come, and are the same byte by byte.
            escaped(text)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escaped(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x00..<0x20:
                bytes.append(contentsOf: [
                    UInt8(ascii: "\\"), UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0"),
                    Self.hexDigits[Int(byte >> 4)], Self.hexDigits[Int(byte & 0xF)],
                ])
            default:
                bytes.append(byte)
            }
        }
    }
}
