/// Reads the parts of protobuf's wire format that our messages have, one after the other: the counterpart of
/// `ProtobufWriter`.
///
/// Each part is nil where the bytes are cut or make none; what was read before does not count then.
struct ProtobufReader {
    private enum WireType: UInt64 {
        case varint = 0
        case bytes = 2
    }

    let bytes: [UInt8]
    /// Where the next part begins.
    private(set) var place: Int

    /// - Parameters:
    ///   - bytes: a frame.
    ///   - start: where its body begins; it ends with the frame.
    init(_ bytes: [UInt8], from start: Int) {
        self.bytes = bytes
        place = start
    }

    var isAtEnd: Bool { place == bytes.count }

    /// What stands before a number.
    static func number(_ field: UInt64) -> UInt64 { field << 3 | WireType.varint.rawValue }

    /// What stands before a length and so many bytes.
    static func bytes(_ field: UInt64) -> UInt64 { field << 3 | WireType.bytes.rawValue }

    /// The next number, of at most ten bytes.
    mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while place < bytes.count, shift < 64 {
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return shift == 63 && byte > 1 ? nil : value }
            shift += 7
        }
        return nil
    }

    /// Where the field ends whose length is next.
    mutating func end() -> Int? {
        guard let count = varint(), count <= UInt64(bytes.count - place) else { return nil }
        return place + Int(count)
    }

    /// The next field's bytes.
    mutating func contents() -> ArraySlice<UInt8>? {
        guard let end = end() else { return nil }
        defer { place = end }
        return bytes[place..<end]
    }

    /// The next field's bytes as a text.
    mutating func text() -> String? {
        contents().flatMap { String(validating: $0, as: UTF8.self) }
    }
}
