/// How the server goes about an ALTER TABLE, from the lightest way to the heaviest.
public enum AlterWay: Int, Sendable, Comparable, CaseIterable {
    /// Only the table's description changes, whatever its size.
    case instant
    /// The table is read and an index written beside it; its rows stay where they are.
    case noCopy
    /// The table is written anew while reads and writes go on.
    case rebuild
    /// The table is written anew row by row; writes wait until it is done.
    case copy

    /// Lighter ways come first.
    public static func < (left: AlterWay, right: AlterWay) -> Bool { left.rawValue < right.rawValue }

    /// What holds the server to this way: it refuses the statement where it would need a heavier one.
    public var clause: String {
        switch self {
        case .instant: "ALGORITHM=INSTANT"
        case .noCopy: "ALGORITHM=NOCOPY, LOCK=NONE"
        case .rebuild: "ALGORITHM=INPLACE, LOCK=NONE"
        case .copy: "ALGORITHM=COPY"
        }
    }

    /// Whether all rows are written anew: on a large table that is for a quiet hour.
    var writesRows: Bool { self >= .rebuild }

    /// What it does to the table and its users, in words.
    var words: String {
        switch self {
        case .instant: "instant: only the table's description changes"
        case .noCopy: "index in place: reads the table, reads and writes go on"
        case .rebuild: "rebuild in place: writes the table anew, reads and writes go on"
        case .copy: "copy: writes the table anew, writes to it wait meanwhile"
        }
    }

    /// How long it takes, in seconds. Measured on a 2-core machine with a local disk and a buffer pool far
    /// smaller than the table: 10^6 rows of the field's `backup_jobs` (750 MiB with its indexes) took an index
    /// 1.6 s, a rebuild 23 s, a copy 18 s.
    func seconds(rows: Int64, bytes: Int64) -> Double {
        switch self {
        case .instant: 0.05
        case .noCopy: 0.05 + Double(rows) * 2e-6
        case .rebuild, .copy: 0.05 + Double(bytes) / 30e6
        }
    }

    /// Whether the server refused the way and not the statement: unsupported algorithm or lock, and why not;
    /// an algorithm that an older server does not know.
    static func isRefusal(_ error: DatabaseError) -> Bool {
        [1845, 1846, 1800].contains(error.code)
    }
}
