/// The id of a backup job, `backup-<vm>-<unix>` by habit: what the table's `varchar(64)` can hold and a URL
/// path can carry.
public struct JobID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The longest id, in characters as the database counts them (Unicode scalars).
    public static let scalarCountMax = 64

    /// The id as told.
    public let rawValue: String

    /// Checks an id. nil unless it has 1 to 64 Unicode scalars, no control characters, and no space at
    /// either end (the database compares ids without regard to trailing spaces).
    public init?(_ text: String) {
        guard unsafe !Self.isPlain(text.utf8.span.bytes) else {
            rawValue = text
            return
        }
        let scalars = text.unicodeScalars
        guard let first = scalars.first, let last = scalars.last, scalars.count <= Self.scalarCountMax,
            !first.properties.isWhitespace, !last.properties.isWhitespace,
            !scalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else { return nil }
        rawValue = text
    }

    /// Checks an id that is nothing but visible ASCII characters. nil: it is none, or not as plain as that.
    public init?(plain text: Span<UInt8>) {
        guard unsafe Self.isPlain(text.bytes) else { return nil }
        rawValue = unsafe String(copying: UTF8Span(unchecked: text, isKnownASCII: true))
    }

    /// Whether an id is nothing but visible ASCII characters, as nearly all are; a look at each eight bytes tells it.
    private static func isPlain(_ bytes: RawSpan) -> Bool {
        guard (1...scalarCountMax).contains(bytes.byteCount) else { return false }
        var place = 0
        while place < bytes.byteCount {
            var word = word(bytes, at: place)
            // The zeros behind the end pass as what may stand there.
            if place + 8 > bytes.byteCount {
                word |= 0x2121_2121_2121_2121 >> UInt64(8 * (bytes.byteCount - place))
            }
            // The highest bit of a byte is set by it being above 0x7F, by 0x7F and one more, by less than 0x21 less that;
            // a carry or borrow into the next byte comes only from a byte that is wrong itself.
            let wrong = word | (word &+ 0x0101_0101_0101_0101) | (word &- 0x2121_2121_2121_2121)
            if wrong & 0x8080_8080_8080_8080 != 0 { return false }
            place += 8
        }
        return true
    }

    /// Same id: the same bytes, whatever Unicode holds to be equivalent.
    public static func == (left: JobID, right: JobID) -> Bool {
        let (left, right) = unsafe (left.rawValue.utf8.span.bytes, right.rawValue.utf8.span.bytes)
        return left.byteCount == right.byteCount && firstDifference(left, right) == nil
    }

    /// Hashes the bytes, as `==` compares them.
    public func hash(into hasher: inout Hasher) {
        let bytes = rawValue.utf8.span
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }

    /// Byte order: the order in which every service locks rows.
    public static func < (left: JobID, right: JobID) -> Bool {
        let (left, right) = unsafe (left.rawValue.utf8.span.bytes, right.rawValue.utf8.span.bytes)
        return firstDifference(left, right).map { $0 < $1 } ?? (left.byteCount < right.byteCount)
    }

    /// The first parts, of the same length, in which the beginnings of two texts differ, as numbers that compare as their
    /// bytes do: eight bytes at a time, since most ids begin alike.
    private static func firstDifference(_ left: RawSpan, _ right: RawSpan) -> (UInt64, UInt64)? {
        var place = 0
        while place < min(left.byteCount, right.byteCount) {
            let words = (word(left, at: place), word(right, at: place))
            if words.0 != words.1 { return words }
            place += 8
        }
        return nil
    }

    /// Eight bytes, the first as the highest; behind the end zeros, which no id has.
    private static func word(_ bytes: RawSpan, at place: Int) -> UInt64 {
        guard place + 8 > bytes.byteCount else {
            return unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self).bigEndian
        }
        var word: UInt64 = 0
        for index in place..<place + 8 {
            word = word << 8
            if index < bytes.byteCount {
                word |= UInt64(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
            }
        }
        return word
    }

    /// How many bytes two ids have in common at their beginnings.
    public func sharedByteCount(with other: JobID) -> Int {
        let (left, right) = unsafe (rawValue.utf8.span.bytes, other.rawValue.utf8.span.bytes)
        var place = 0
        while place < min(left.byteCount, right.byteCount) {
            let difference = Self.word(left, at: place) ^ Self.word(right, at: place)
            if difference != 0 { return place + difference.leadingZeroBitCount / 8 }
            place += 8
        }
        return min(left.byteCount, right.byteCount)
    }

    /// Orders ids that have so many bytes in common at their beginnings, as far as the eight bytes behind them tell.
    public func sortKey(behind sharedByteCount: Int) -> UInt64 {
        Self.word(unsafe rawValue.utf8.span.bytes, at: sharedByteCount)
    }

    /// The id itself.
    public var description: String { rawValue }
}

/// What a job is doing, as `backup_jobs.status` holds it.
public enum JobStatus: String, Sendable, CaseIterable {
    case pending, running, stalled, completed, failed, cancelled
}

/// What a disk is doing, as `backup_disks.status` holds it (the field's `running` reads as transferring).
public enum DiskStatus: String, Sendable, CaseIterable {
    case pending, transferring, completed, failed
}

/// The kinds of backup.
public enum BackupType: String, Sendable, CaseIterable {
    case full, incremental, differential
}
