/// Writes the parts of protobuf's wire format that our messages have: varints, and fields with a length before them.
///
/// `nonZero` and `nonEmpty` are the fields that proto3 leaves out at their default.
struct ProtobufWriter {
    private static let lengthDelimited: UInt64 = 2

    var bytes: [UInt8] = []

    mutating func field(_ number: UInt64, _ varint: UInt64) {
        append(number << 3)
        append(varint)
    }

    mutating func field(_ number: UInt64, nonZero varint: UInt64) {
        if varint != 0 { field(number, varint) }
    }

    /// A `sint64`: its sign is the lowest bit, so that small negative numbers are short.
    mutating func field(_ number: UInt64, zigzag value: Int64) {
        field(number, UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    mutating func field(_ number: UInt64, _ text: String) {
        append(number << 3 | Self.lengthDelimited)
        append(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func field(_ number: UInt64, nonEmpty text: String) {
        if !text.isEmpty { field(number, text) }
    }

    mutating func field(_ number: UInt64, _ contents: [UInt8]) {
        append(number << 3 | Self.lengthDelimited)
        append(UInt64(contents.count))
        bytes.append(contentsOf: contents)
    }

    /// A message within the message. The length before it is known only behind it: there is room for the likely one,
    /// and where that is wrong the message is moved.
    ///
    /// - Returns: its length.
    @discardableResult
    mutating func message(
        _ number: UInt64,
        likelyLength: Int,
        _ write: (inout ProtobufWriter) -> Void
    ) -> Int {
        append(number << 3 | Self.lengthDelimited)
        let place = bytes.count
        let room = Self.byteCount(likelyLength)
        for _ in 0..<room { bytes.append(0) }
        write(&self)
        let length = bytes.count - place - room
        let needed = Self.byteCount(length)
        if needed != room {
            bytes.replaceSubrange(place..<place + room, with: repeatElement(0, count: needed))
        }
        for index in 0..<needed {
            let more: UInt8 = index < needed - 1 ? 0x80 : 0
            bytes[place + index] = UInt8(truncatingIfNeeded: length >> (7 * index)) & 0x7F | more
        }
        return length
    }

    /// The bytes that a length takes.
    private static func byteCount(_ length: Int) -> Int {
        length < 0x80 ? 1 : (Int.bitWidth - length.leadingZeroBitCount + 6) / 7
    }

    private mutating func append(_ varint: UInt64) {
        var rest = varint
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}
