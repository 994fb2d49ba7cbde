internal import NBD

/// What a piece of a disk held when it was read.
struct PiecePrint: Equatable, Sendable {
    var offset: Int64
    var length: Int64
    /// nil: nothing but zeroes.
    var hash: UInt64?
}

extension RequestBuffer {
    /// A hash of its beginning, as XXH64 with seed 0 makes it: any change of a piece shows but for a chance of
    /// 1 in 2^64. It is no defence against somebody who means to deceive.
    func hash(byteCount: Int) -> UInt64 {
        unsafe withBytes(0..<byteCount) { unsafe XXH64.hash(UnsafeRawBufferPointer($0)) }
    }
}

/// XXH64 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
enum XXH64 {
    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    /// The hash of bytes, with seed 0.
    @unsafe static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var offset = 0
        var result: UInt64
        if bytes.count >= 32 {
            var lane1 = prime1 &+ prime2
            var lane2 = prime2
            var lane3: UInt64 = 0
            var lane4 = 0 &- prime1
            while offset + 32 <= bytes.count {
                lane1 = round(lane1, unsafe word(bytes, offset))
                lane2 = round(lane2, unsafe word(bytes, offset + 8))
                lane3 = round(lane3, unsafe word(bytes, offset + 16))
                lane4 = round(lane4, unsafe word(bytes, offset + 24))
                offset += 32
            }
            result = rotate(lane1, 1) &+ rotate(lane2, 7) &+ rotate(lane3, 12) &+ rotate(lane4, 18)
            for lane in [lane1, lane2, lane3, lane4] {
                result = (result ^ round(0, lane)) &* prime1 &+ prime4
            }
        } else {
            result = prime5
        }
        result = result &+ UInt64(bytes.count)
        while offset + 8 <= bytes.count {
            result = rotate(result ^ round(0, unsafe word(bytes, offset)), 27) &* prime1 &+ prime4
            offset += 8
        }
        if offset + 4 <= bytes.count {
            let half = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            result = rotate(result ^ (UInt64(UInt32(littleEndian: half)) &* prime1), 23) &* prime2 &+ prime3
            offset += 4
        }
        while offset < bytes.count {
            result = rotate(result ^ (UInt64(unsafe bytes[offset]) &* prime5), 11) &* prime1
            offset += 1
        }
        result = (result ^ (result >> 33)) &* prime2
        result = (result ^ (result >> 29)) &* prime3
        return result ^ (result >> 32)
    }

    private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        rotate(lane &+ word &* prime2, 31) &* prime1
    }

    private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
        (value << bits) | (value >> (64 - bits))
    }

    @unsafe private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
