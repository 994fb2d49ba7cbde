/// A job as an audit sees it: its rows at one instant, and what is recorded beside them.
public struct AuditedJob: Equatable, Sendable {
    /// The newest change of the job's status that is on record.
    public struct Change: Equatable, Sendable {
        /// The status that it led to, as it is stored.
        public var to: String
        /// Its cause, as it is stored.
        public var cause: String
        /// The attempt it belongs to.
        public var attempt: Int64
        /// When, in milliseconds since 1970 UTC.
        public var atMilliseconds: Int64

        /// Creates a change from its parts.
        public init(to: String, cause: String, attempt: Int64, atMilliseconds: Int64) {
            self.to = to
            self.cause = cause
            self.attempt = attempt
            self.atMilliseconds = atMilliseconds
        }
    }

    /// The newest point of the job's history.
    public struct Point: Equatable, Sendable {
        /// The attempt it belongs to.
        public var attempt: Int64
        /// The job's bytes then.
        public var bytes: Int64

        /// Creates a point from its parts.
        public init(attempt: Int64, bytes: Int64) {
            self.attempt = attempt
            self.bytes = bytes
        }
    }

    /// The job and its disks.
    public var job: Job
    /// A message for it was stored by this system. Rows that only a hub has written follow the hub's habits.
    public var isOurs: Bool
    /// The row has a time of its end.
    public var hasEnd: Bool
    /// When it ended, in milliseconds since 1970 UTC, where a repair is to store that. nil: it is not.
    public var newEndMilliseconds: Int64?
    /// The disks whose total is known to the byte, by index: this system has told it.
    public var exactDisks: Set<Int32>
    /// The newest change of status on record. nil if there is none.
    public var newestChange: Change?
    /// The newest point of the history. nil if there is none.
    public var newestPoint: Point?
    /// Milliseconds since the last sign of life. nil if there never was one.
    public var silenceMilliseconds: Int64?
    /// Milliseconds since the job began, or since its row was made. nil if neither is known.
    public var ageMilliseconds: Int64?

    /// Creates a view from its parts.
    public init(
        _ job: Job,
        isOurs: Bool,
        hasEnd: Bool,
        exactDisks: Set<Int32> = [],
        newestChange: Change? = nil,
        newestPoint: Point? = nil,
        silenceMilliseconds: Int64? = nil,
        ageMilliseconds: Int64? = nil
    ) {
        self.job = job
        self.isOurs = isOurs
        self.hasEnd = hasEnd
        self.exactDisks = exactDisks
        self.newestChange = newestChange
        self.newestPoint = newestPoint
        self.silenceMilliseconds = silenceMilliseconds
        self.ageMilliseconds = ageMilliseconds
    }

    /// A hub's own row for one disk of a backup, `backup-<vm>-disk<n>-<time>`: no backup of its own. The name
    /// alone says nothing, since a VM may be called `db-disk1`; the row has no disks, and its VM is `<vm>`.
    public var isChildRow: Bool {
        guard !isOurs, job.disks.isEmpty else { return false }
        let prefix = "backup-\(job.vmName)-disk"
        guard job.id.rawValue.hasPrefix(prefix) else { return false }
        let parts = job.id.rawValue.dropFirst(prefix.count).split(separator: "-", maxSplits: 1)
        return parts.count == 2
            && parts[0].utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
