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

    /// The next number, of at most ten bytes. Tags and many numbers take one.
    @inline(__always)
    mutating func varint() -> UInt64? {
        guard place < bytes.count, bytes[place] < 0x80 else { return longVarint() }
        defer { place += 1 }
        return UInt64(bytes[place])
    }

    /// One of up to eight bytes, of which the last bits that say whether there are more are looked at together.
    private mutating func longVarint() -> UInt64? {
        guard place + 8 <= bytes.count else { return anyVarint() }
        // The load checks its bounds; it counts as unsafe only for types that some bit patterns do not fit.
        let loaded = unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self)
        let word = UInt64(littleEndian: loaded)
        let ends = ~word & 0x8080_8080_8080_8080
        guard ends != 0 else { return anyVarint() }
        let bitCount = ends.trailingZeroBitCount + 1
        place += bitCount / 8
        // Seven bits of each byte, put together by pairs, fours and eights.
        var value = word & 0x7F7F_7F7F_7F7F_7F7F & UInt64.max >> UInt64(64 - bitCount)
        value = value & 0x007F_007F_007F_007F | (value & 0x7F00_7F00_7F00_7F00) >> 1
        value = value & 0x0000_3FFF_0000_3FFF | (value & 0x3FFF_0000_3FFF_0000) >> 2
        return value & 0x0000_0000_0FFF_FFFF | (value & 0x0FFF_FFFF_0000_0000) >> 4
    }

    /// Byte by byte.
    private mutating func anyVarint() -> UInt64? {
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

    /// The next field's bytes as a text, by their span: that spares generic code.
    mutating func text() -> String? {
        guard let end = end() else { return nil }
        let start = place
        place = end
        guard let text = try? UTF8Span(validating: bytes.span.extracting(start..<end)) else { return nil }
        return String(copying: text)
    }
}
