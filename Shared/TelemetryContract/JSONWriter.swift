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
        let plain = text.utf8.span
        guard plain.endOfPlainText(from: 0) == plain.count else {
            member(name, byteCountMax: 0) { _ in }
            return string(text)
        }
        member(name, byteCountMax: plain.count + 2) { output in
            output.append(UInt8(ascii: "\""))
            output.append(copying: plain)
            output.append(UInt8(ascii: "\""))
        }
    }

    /// Writes a member that is a string of ours, which needs no escapes.
    mutating func member(_ name: StaticString, plain text: StaticString) {
        member(name, byteCountMax: text.utf8CodeUnitCount + 2) { output in
            output.append(UInt8(ascii: "\""))
            output.append(copying: text)
            output.append(UInt8(ascii: "\""))
        }
    }

    /// Writes a member that is an integer.
    mutating func member(_ name: StaticString, _ value: Int64) {
        member(name, byteCountMax: 20) { $0.append(decimal: value) }
    }

    /// Writes a member that is a time, in UTC with whole seconds.
    mutating func member(_ name: StaticString, atMilliseconds milliseconds: Int64) {
        member(name, byteCountMax: 22) { output in
            output.append(UInt8(ascii: "\""))
            RFC3339.append(milliseconds: milliseconds, to: &output)
            output.append(UInt8(ascii: "\""))
        }
    }

    /// Writes a member that is a list of problems.
    mutating func member(_ name: StaticString, _ problems: [Problem]) {
        member(name, byteCountMax: 1) { $0.append(UInt8(ascii: "[")) }
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
        member(name, byteCountMax: 1) { $0.append(UInt8(ascii: "[")) }
        for (index, text) in texts.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            string(text)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// Writes a name, which needs no escapes, and a value of so many bytes at the most: there is room for both at once,
    /// since each append to an array asks whether it may.
    @inline(__always)
    private mutating func member(
        _ name: StaticString,
        byteCountMax: Int,
        _ value: (inout OutputSpan<UInt8>) -> Void
    ) {
        bytes.append(addingCapacity: name.utf8CodeUnitCount + 4 + byteCountMax) { output in
            if needsComma { output.append(UInt8(ascii: ",")) }
            output.append(UInt8(ascii: "\""))
            output.append(copying: name)
            output.append(UInt8(ascii: "\""))
            output.append(UInt8(ascii: ":"))
            value(&output)
        }
        needsComma = true
    }

    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        escaped(text)
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
