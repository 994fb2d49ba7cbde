/// Turns events and counters into messages: numbers them, paces progress, measures speed. Pure.
struct ReportDesk {
    var delivery: Delivery
    /// The newest `seq` that was given out.
    private(set) var lastSeq: Int64 = 0
    private var cadence: Cadence
    private var window = SpeedWindow()
    private var phase = Phase.snapshot
    private(set) var hasEnded = false
    /// When the job began and ended, in milliseconds since 1970 UTC.
    private(set) var startedAtMilliseconds: Int64?
    private(set) var endedAtMilliseconds: Int64?

    /// A desk whose first message is the registration.
    ///
    /// - Parameters:
    ///   - attempt: which run of the job it is.
    ///   - intervalMilliseconds: the longest time without a message.
    ///   - jitterSeed: of the cadence's jitter. nil: there is none.
    ///   - startedAtMilliseconds: when the job began, in milliseconds since 1970 UTC. nil: with its first event.
    init(
        attempt: Int64,
        intervalMilliseconds: Int64,
        jitterSeed: UInt64? = nil,
        startedAtMilliseconds: Int64? = nil
    ) {
        self.startedAtMilliseconds = startedAtMilliseconds
        delivery = Delivery(attempt: attempt, startedAtMilliseconds: startedAtMilliseconds)
        delivery.add(Outgoing(content: .registration, atMilliseconds: startedAtMilliseconds))
        cadence = Cadence(intervalMilliseconds: intervalMilliseconds, seed: jitterSeed)
    }

    /// Makes a message of an event. Nothing follows the end of the job but its disks' completions.
    mutating func note(_ event: ReportEvent, nowMilliseconds: Int64) {
        if case .completion(let diskIndex, let changeID, let bytes) = event.kind {
            return delivery.add(
                Outgoing(
                    content: .completion(diskIndex: diskIndex, changeID: changeID, bytes: bytes),
                    atMilliseconds: event.atMilliseconds
                )
            )
        }
        guard !hasEnded else { return }
        startedAtMilliseconds = startedAtMilliseconds ?? event.atMilliseconds
        measure(event.progress, nowMilliseconds: nowMilliseconds)
        let status: ReportedStatus
        var error: String?
        switch event.kind {
        case .completion: return
        case .phase, .diskCompleted: status = .running
        case .completed: status = .completed
        case .cancelled: status = .cancelled
        case .failed(let reason):
            status = .failed
            error = reason
        }
        hasEnded = status != .running
        if hasEnded { endedAtMilliseconds = event.atMilliseconds }
        let isUrgent = if case .diskCompleted = event.kind { false } else { true }
        add(
            event.progress,
            status: status,
            error: error,
            isUrgent: isUrgent,
            nowMilliseconds: nowMilliseconds,
            wallMilliseconds: event.atMilliseconds
        )
    }

    /// Looks at the counters, and makes a progress message where one is due.
    mutating func tick(_ progress: JobProgress, nowMilliseconds: Int64, wallMilliseconds: Int64) {
        guard !hasEnded else { return }
        measure(progress, nowMilliseconds: nowMilliseconds)
        guard cadence.due(percent: progress.percent, nowMilliseconds: nowMilliseconds) != nil else { return }
        add(
            progress,
            status: .running,
            isProgress: true,
            nowMilliseconds: nowMilliseconds,
            wallMilliseconds: wallMilliseconds
        )
    }

    private mutating func measure(_ progress: JobProgress, nowMilliseconds: Int64) {
        if progress.phase != phase {
            phase = progress.phase
            window.reset()
        }
        window.add(moved: progress.moved, nowMilliseconds: nowMilliseconds)
    }

    private mutating func add(
        _ progress: JobProgress,
        status: ReportedStatus,
        error: String? = nil,
        isProgress: Bool = false,
        isUrgent: Bool = false,
        nowMilliseconds: Int64,
        wallMilliseconds: Int64
    ) {
        lastSeq += 1
        let isTransferring = status == .running && progress.phase == .transferring
        let update = TelemetryUpdate(
            seq: lastSeq,
            status: status,
            progress: progress,
            speed: status == .running ? (isTransferring ? window.bytesPerSecond : nil) : 0,
            etaSeconds: isTransferring
                ? window.etaSeconds(dataToGo: progress.dataToGo) : (status == .completed ? 0 : nil),
            error: error,
            atMilliseconds: wallMilliseconds
        )
        delivery.add(Outgoing(content: .telemetry(update), isProgress: isProgress, isUrgent: isUrgent))
        cadence.noteMessage(percent: progress.percent, nowMilliseconds: nowMilliseconds)
    }
}
