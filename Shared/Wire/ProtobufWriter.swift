/// Writes the parts of protobuf's wire format that our messages have: varints, and fields with a length before them.
///
/// There has to be room: who writes a message makes as much as it can take, by `ProtobufRoom`. `nonZero` and `nonEmpty`
/// are the fields that proto3 leaves out at their default.
extension OutputSpan<UInt8> {
    private static var lengthDelimited: UInt64 { 2 }

    mutating func field(_ number: UInt64, _ varint: UInt64) {
        guard number < 16, varint < 1 << 49, freeCapacity >= 8 else {
            append(varint: number << 3)
            return append(varint: varint)
        }
        // The tag is one byte, and the number has its seven others.
        let (word, byteCount) = Self.word(of: varint)
        append(word << 8 | number << 3, byteCount: byteCount &+ 1)
    }

    mutating func field(_ number: UInt64, nonZero varint: UInt64) {
        if varint != 0 { field(number, varint) }
    }

    /// A `sint64`: its sign is the lowest bit, so that small negative numbers are short.
    mutating func field(_ number: UInt64, zigzag value: Int64) {
        field(number, UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    mutating func field(_ number: UInt64, _ text: String) {
        append(varint: number << 3 | Self.lengthDelimited)
        append(varint: UInt64(text.utf8.count))
        append(copying: text.utf8.span)
    }

    mutating func field(_ number: UInt64, nonEmpty text: String) {
        if !text.isEmpty { field(number, text) }
    }

    mutating func field(_ number: UInt64, _ contents: [UInt8]) {
        append(varint: number << 3 | Self.lengthDelimited)
        append(varint: UInt64(contents.count))
        append(copying: contents.span)
    }

    /// A message within the message. The length before it is known only behind it: there is room for the likely one,
    /// and where that is wrong the message is moved.
    ///
    /// - Returns: its length.
    @discardableResult
    mutating func message(
        _ number: UInt64,
        likelyLength: Int,
        _ write: (inout OutputSpan<UInt8>) -> Void
    ) -> Int {
        append(varint: number << 3 | Self.lengthDelimited)
        let place = count
        let room = Self.byteCount(likelyLength)
        append(repeating: 0, count: room)
        write(&self)
        let length = count - place - room
        let needed = Self.byteCount(length)
        if needed != room { move(from: place + room, to: place + needed) }
        for index in 0..<needed {
            let more: UInt8 = index < needed - 1 ? 0x80 : 0
            self[place + index] = UInt8(truncatingIfNeeded: length >> (7 * index)) & 0x7F | more
        }
        return length
    }

    /// Moves all that is written behind a place.
    private mutating func move(from start: Int, to place: Int) {
        let (end, distance) = (count, place - start)
        if distance > 0 {
            append(repeating: 0, count: distance)
            for index in (start..<end).reversed() { self[index + distance] = self[index] }
        } else {
            for index in start..<end { self[index + distance] = self[index] }
            removeLast(-distance)
        }
    }

    /// The bytes that a length takes.
    private static func byteCount(_ length: Int) -> Int {
        length < 0x80 ? 1 : (Int.bitWidth - length.leadingZeroBitCount + 6) / 7
    }

    private mutating func append(varint: UInt64) {
        guard varint >= 0x80 else { return append(UInt8(truncatingIfNeeded: varint)) }
        guard varint < 1 << 56, freeCapacity >= 8 else { return append(longVarint: varint) }
        let (word, byteCount) = Self.word(of: varint)
        append(word, byteCount: byteCount)
    }

    /// A number of less than 57 bits as the bytes that it takes, and how many they are.
    @inline(__always)
    private static func word(of varint: UInt64) -> (UInt64, Int) {
        // Seven bits into each byte, by halves, quarters and eighths of the word.
        var word = varint & 0x0FFF_FFFF | (varint & 0x00FF_FFFF_F000_0000) << 4
        word = word & 0x0000_3FFF_0000_3FFF | (word & 0x0FFF_C000_0FFF_C000) << 2
        word = word & 0x007F_007F_007F_007F | (word & 0x3F80_3F80_3F80_3F80) << 1
        let byteCount = (UInt64.bitWidth - (varint | 1).leadingZeroBitCount + 6) / 7
        word |= 0x0080_8080_8080_8080 & ~(UInt64.max << UInt64(8 * (byteCount - 1)))
        return (word, byteCount)
    }

    /// Writes so many bytes of a word, of which eight have room.
    @inline(__always)
    private mutating func append(_ word: UInt64, byteCount: Int) {
        // The store checks its bounds, and bytes are initialized by it.
        unsafe withUnsafeMutableBufferPointer { bytes, count in
            unsafe UnsafeMutableRawBufferPointer(bytes)
                .storeBytes(of: word.littleEndian, toByteOffset: count, as: UInt64.self)
            count += byteCount
        }
    }

    /// Byte by byte.
    private mutating func append(longVarint varint: UInt64) {
        var rest = varint
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func append(copying contents: Span<UInt8>) {
        // What it copies is as long as it says; the room behind `count` is checked.
        unsafe withUnsafeMutableBufferPointer { bytes, count in
            unsafe contents.withUnsafeBytes { contents in
                let all = UnsafeMutableRawBufferPointer(bytes)
                unsafe UnsafeMutableRawBufferPointer(rebasing: all[count...]).copyMemory(from: contents)
                count += contents.count
            }
        }
    }
}

/// The most bytes that parts of a message take, where field numbers are below 16.
enum ProtobufRoom {
    /// A tag and a number.
    static let number = 11
    /// A tag and the length of what comes behind it.
    static let prefix = 11

    static func text(_ text: String) -> Int { prefix + text.utf8.count }
}
