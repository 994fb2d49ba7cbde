public import JobModel

/// Where a job's history stands, by the database's clock.
public struct JobHistory: Equatable, Sendable {
    /// When its newest point was kept, in milliseconds since 1970 UTC. nil: there is none.
    public var lastMilliseconds: Int64?
    /// When the attempt began, in milliseconds since 1970 UTC. nil: it has not.
    public var startedMilliseconds: Int64?

    /// Creates it from its parts.
    public init(lastMilliseconds: Int64? = nil, startedMilliseconds: Int64? = nil) {
        self.lastMilliseconds = lastMilliseconds
        self.startedMilliseconds = startedMilliseconds
    }
}

/// How long ago it was that a job or its disks began or ended, in milliseconds: what clients say of a message that they
/// could not deliver before, and its time on the way.
///
/// Only columns that tell people of it are stamped by these. A sign of life counts when it arrives.
public struct TransitionAges: Sendable {
    /// Since the job's attempt began.
    private(set) var started: Int64 = 0
    /// Since it ended.
    private(set) var completed: Int64 = 0
    /// Since disks were completed, by their indices.
    private(set) var disks: [Int32: Int64] = [:]

    /// Nothing began or ended.
    public init() {}

    /// What of a job tells whether it began or ended since. Not the job itself, whose disks would be copied.
    public struct Moment: Sendable {
        let attempt: Int64
        let status: JobStatus
        let isPresumed: Bool
        /// The indices of the disks that are completed.
        let completedDisks: [Int32]

        /// Takes it from a job.
        public init(_ job: Job) {
            attempt = job.attempt
            status = job.status
            isPresumed = job.isPresumed
            completedDisks = job.disks.lazy.filter { $0.status == .completed }.map(\.index)
        }
    }

    /// Notes what a message has begun or ended.
    ///
    /// - Parameters:
    ///   - before: the job before the message. nil: there was none.
    ///   - after: the job after it.
    ///   - age: milliseconds since it was so.
    public mutating func note(_ before: Moment?, _ after: Job, ageMilliseconds age: Int64) {
        let before = before?.attempt == after.attempt ? before : nil
        if before == nil || before?.status == .pending && after.status != .pending { started = age }
        if JobChange.isEnded(after.status),
            before?.status != after.status || before?.isPresumed != after.isPresumed
        {
            completed = age
        }
        for disk in after.disks where disk.status == .completed {
            if before?.completedDisks.contains(disk.index) != true { disks[disk.index] = age }
        }
    }
}

/// What a transaction makes of one job: as it was read, as it is to be stored.
public struct JobChange: Sendable {
    /// The job as it was read under lock. nil: it is new.
    public var before: Job?
    /// The job as it is to be stored.
    public var after: Job
    /// Milliseconds since the newest sign of life in this transaction. nil: there was none.
    public var contactAgeMilliseconds: Int64?
    /// Changes of status to keep, in order.
    public var events: [StatusChange]
    /// The registration that makes new rows: it may carry more than the job itself keeps. nil: there is none.
    public var registration: Registration?
    /// When it was that the job or its disks began or ended.
    public var transitions: TransitionAges
    /// Where the job's history stands; once the change is stored, where it stands then.
    public var history = JobHistory()

    /// Creates a change from its parts.
    public init(
        before: Job?,
        after: Job,
        contactAgeMilliseconds: Int64? = nil,
        events: [StatusChange] = [],
        registration: Registration? = nil,
        transitions: TransitionAges = TransitionAges()
    ) {
        self.before = before
        self.after = after
        self.contactAgeMilliseconds = contactAgeMilliseconds
        self.events = events
        self.registration = registration
        self.transitions = transitions
    }

    /// Whether there is anything to store.
    public var isEmpty: Bool { contactAgeMilliseconds == nil && events.isEmpty && before == after }

    /// Nothing is new but a sign of life: another message has told more already.
    public var isContactOnly: Bool { events.isEmpty && contactAgeMilliseconds != nil && before == after }

    /// How a column that holds a time is to change.
    enum Stamp: Int64 {
        case keep = 0
        case now = 1
        case clear = 2
    }

    /// `started_at`: a new attempt starts now; so does a job that was only pending.
    var startedStamp: Stamp {
        guard let before, before.attempt == after.attempt else { return .now }
        return before.status == .pending && after.status != .pending ? .now : .keep
    }

    /// `completed_at`: set at the end, whatever the end; cleared where the end is taken back.
    var completedStamp: Stamp {
        guard Self.isEnded(after.status) else {
            return before.map { Self.isEnded($0.status) } == true ? .clear : .keep
        }
        // A presumed failure that was taken back and then reported, within one batch, is another end.
        guard let before, before.attempt == after.attempt, before.status == after.status,
            before.isPresumed == after.isPresumed
        else { return .now }
        return .keep
    }

    /// The change needs rows that are not there yet.
    var makesRows: Bool {
        guard let before else { return true }
        let known = Set(before.disks.map(\.index))
        return after.disks.contains { !known.contains($0.index) }
    }

    /// The change brings numbers, or an end, that the history may want.
    var isHistory: Bool {
        let old = before.flatMap { $0.attempt == after.attempt ? $0 : nil }
        return after.bytes != old?.bytes ?? 0 || after.seq != old?.seq ?? 0 || after.clockKey != old?.clockKey
            || isEnd
    }

    /// `history_ms`, the time of the attempt's newest point: a new attempt has none.
    func historyStamp(isPoint: Bool) -> Stamp {
        if isPoint { return .now }
        return before?.attempt == after.attempt ? .keep : .clear
    }

    /// Whether it is to leave a point in the history.
    ///
    /// - Parameter now: by the database's clock, in milliseconds since 1970 UTC.
    /// - Returns: true if a point is due.
    func pointIsDue(nowMilliseconds now: Int64) -> Bool {
        guard isHistory else { return false }
        let isSameAttempt = before?.attempt == after.attempt
        return HistoryRule.isDue(
            sinceLastMilliseconds: isSameAttempt ? history.lastMilliseconds.map { now - $0 } : nil,
            runMilliseconds: isSameAttempt ? history.startedMilliseconds.map { now - $0 } ?? 0 : 0,
            isEnd: isEnd
        )
    }

    /// Notes where the job's history stands once the change is stored.
    mutating func noteHistory(isPoint: Bool, nowMilliseconds now: Int64) {
        if startedStamp == .now { history.startedMilliseconds = now }
        switch historyStamp(isPoint: isPoint) {
        case .keep: break
        case .now: history.lastMilliseconds = now
        case .clear: history.lastMilliseconds = nil
        }
    }

    /// The type or the error text is another one: those are rare, and texts without a bound.
    var isDescribedAnew: Bool {
        before?.errorMessage != after.errorMessage || before?.backupType != after.backupType
    }

    /// The attempt ends with this change.
    var isEnd: Bool { completedStamp == .now }

    static func isEnded(_ status: JobStatus) -> Bool {
        switch status {
        case .completed, .failed, .cancelled: true
        case .pending, .running, .stalled: false
        }
    }
}
