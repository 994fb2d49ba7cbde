public import JobModel

/// All that is on record of one job, as it was at one instant.
public struct JobRecord: Equatable, Sendable {
    /// One row of `job_events`, as it is stored.
    public struct Event: Equatable, Sendable {
        /// When, in milliseconds since 1970 UTC.
        public var atMilliseconds: Int64
        /// The attempt it belongs to.
        public var attempt: Int64
        /// The status before. nil for a job that was new.
        public var from: String?
        /// The status after.
        public var to: String
        /// Its cause.
        public var cause: String
        /// What it rests on.
        public var evidence: String

        /// Creates an event from its parts.
        public init(
            atMilliseconds: Int64,
            attempt: Int64,
            from: String?,
            to: String,
            cause: String,
            evidence: String
        ) {
            self.atMilliseconds = atMilliseconds
            self.attempt = attempt
            self.from = from
            self.to = to
            self.cause = cause
            self.evidence = evidence
        }
    }

    /// What the history of the job's attempt holds.
    public struct History: Equatable, Sendable {
        /// How many points.
        public var pointCount: Int64
        /// The first point's time, in milliseconds since 1970 UTC.
        public var firstMilliseconds: Int64
        /// The last point's time, in milliseconds since 1970 UTC.
        public var lastMilliseconds: Int64
        /// The highest speed in bytes per second. nil if none was told.
        public var peakSpeed: Int64?

        /// Creates a history from its parts.
        public init(
            pointCount: Int64,
            firstMilliseconds: Int64,
            lastMilliseconds: Int64,
            peakSpeed: Int64?
        ) {
            self.pointCount = pointCount
            self.firstMilliseconds = firstMilliseconds
            self.lastMilliseconds = lastMilliseconds
            self.peakSpeed = peakSpeed
        }
    }

    /// The job's id.
    public var id: JobID
    /// The database's clock, in milliseconds since 1970 UTC.
    public var nowMilliseconds: Int64
    /// The job's rows. nil: they are gone, and events remain; or `foreignWord` says why they cannot be judged.
    public var job: AuditedJob?
    /// What no rule knows in the job's row. nil: nothing, or there is no row.
    public var foreignWord: ForeignWord?
    /// When the attempt began, in milliseconds since 1970 UTC. nil if it has not.
    public var startedMilliseconds: Int64?
    /// When it ended, in milliseconds since 1970 UTC. nil if it has not.
    public var endedMilliseconds: Int64?
    /// The client's last sign of life, in milliseconds since 1970 UTC. nil if there never was one.
    public var heardMilliseconds: Int64?
    /// The newest events, the oldest of them first.
    public var events: [Event]
    /// How many events are older still.
    public var olderEventCount: Int64
    /// The history of the job's attempt. nil if there are no points.
    public var history: History?

    /// Creates a record from its parts.
    public init(
        id: JobID,
        nowMilliseconds: Int64,
        job: AuditedJob? = nil,
        startedMilliseconds: Int64? = nil,
        endedMilliseconds: Int64? = nil,
        heardMilliseconds: Int64? = nil,
        events: [Event] = [],
        olderEventCount: Int64 = 0,
        history: History? = nil
    ) {
        self.id = id
        self.nowMilliseconds = nowMilliseconds
        self.job = job
        self.startedMilliseconds = startedMilliseconds
        self.endedMilliseconds = endedMilliseconds
        self.heardMilliseconds = heardMilliseconds
        self.events = events
        self.olderEventCount = olderEventCount
        self.history = history
    }
}
