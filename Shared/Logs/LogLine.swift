internal import Logging

/// One event, ready to be written.
struct LogLine {
    var milliseconds: Int64
    var level: Logger.Level
    var label: String
    var message: String
    var metadata: Logger.Metadata

    /// The line as text. Control characters are escaped, so that one event is always one line and nothing
    /// from outside can forge another.
    var text: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        bytes.append(contentsOf: UTCTime.text(milliseconds: milliseconds).utf8)
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: level.rawValue.utf8)
        for _ in level.rawValue.utf8.count..<max(6, level.rawValue.utf8.count + 1) {
            bytes.append(UInt8(ascii: " "))
        }
        Self.appendEscaped(label, to: &bytes, quotes: false)
        bytes.append(contentsOf: ": ".utf8)
        Self.appendEscaped(message, to: &bytes, quotes: false)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            bytes.append(UInt8(ascii: " "))
            Self.appendEscaped(key, to: &bytes, quotes: false)
            bytes.append(UInt8(ascii: "="))
            Self.appendValue(value.description, to: &bytes)
        }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    /// The line as a JSON object. A metadata key that is one of the line's own members gets a leading `_`.
    var json: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        bytes.append(contentsOf: "{\"ts\":\"\(UTCTime.text(milliseconds: milliseconds))\"".utf8)
        bytes.append(contentsOf: ",\"level\":\"\(level.rawValue)\",\"logger\":".utf8)
        Self.appendString(label, to: &bytes)
        bytes.append(contentsOf: ",\"msg\":".utf8)
        Self.appendString(message, to: &bytes)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            bytes.append(UInt8(ascii: ","))
            Self.appendString(Self.ownMembers.contains(key) ? "_\(key)" : key, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            Self.appendJSON(value, to: &bytes)
        }
        bytes.append(contentsOf: "}\n".utf8)
        return bytes
    }

    private static let ownMembers: Set<String> = ["ts", "level", "logger", "msg"]

    private static func appendJSON(_ value: Logger.MetadataValue, to bytes: inout [UInt8]) {
        switch value {
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                appendJSON(element, to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .dictionary(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                appendString(member.key, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                appendJSON(member.value, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        default:
            appendString(value.description, to: &bytes)
        }
    }

    /// A value as it is, or in quotes where a reader could not tell where it ends.
    private static func appendValue(_ value: String, to bytes: inout [UInt8]) {
        let isPlain =
            !value.isEmpty
            && value.utf8.allSatisfy {
                $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=")
                    && $0 != UInt8(ascii: "\\")
            }
        if isPlain {
            bytes.append(contentsOf: value.utf8)
        } else {
            appendString(value, to: &bytes)
        }
    }

    private static func appendString(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        appendEscaped(text, to: &bytes, quotes: true)
        bytes.append(UInt8(ascii: "\""))
    }

    private static func appendEscaped(_ text: String, to bytes: inout [UInt8], quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
            case UInt8(ascii: "\"") where quotes: bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\") where quotes: bytes.append(contentsOf: "\\\\".utf8)
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: "\\u00".utf8)
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
    }
}
