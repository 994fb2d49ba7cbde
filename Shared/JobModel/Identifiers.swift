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
        guard !Self.isPlain(text) else {
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

    /// Whether an id is nothing but visible ASCII characters, as nearly all are; a look at each byte tells it.
    private static func isPlain(_ text: String) -> Bool {
        (1...scalarCountMax).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    /// Same id: the same bytes, whatever Unicode holds to be equivalent.
    public static func == (left: JobID, right: JobID) -> Bool {
        let (left, right) = (left.rawValue.utf8.span, right.rawValue.utf8.span)
        guard left.count == right.count else { return false }
        for place in left.indices where left[place] != right[place] { return false }
        return true
    }

    /// Hashes the bytes, as `==` compares them.
    public func hash(into hasher: inout Hasher) {
        let bytes = rawValue.utf8.span
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }

    /// Byte order: the order in which every service locks rows.
    public static func < (left: JobID, right: JobID) -> Bool {
        let (left, right) = (left.rawValue.utf8.span, right.rawValue.utf8.span)
        for place in 0..<min(left.count, right.count) where left[place] != right[place] {
            return left[place] < right[place]
        }
        return left.count < right.count
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
