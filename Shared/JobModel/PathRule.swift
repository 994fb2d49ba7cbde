/// How much of a job's silence counts: only what could have been recorded.
///
/// The way from an ingest through a writer into the database is a link; it has as many lanes as the writer. While a
/// link that should work is silent, nothing is known about the jobs behind it, so nothing is said of them.
public struct PathRule: Equatable, Sendable {
    /// The longest time between two beats that is no interruption, in milliseconds.
    public let gapMilliseconds: Int64
    /// After so much silence a link that has not signed off is off duty, in milliseconds.
    public let forgottenAfterMilliseconds: Int64

    /// The rule that goes with thresholds for jobs.
    public init(_ rule: StaleRule) {
        gapMilliseconds = Self.gapMilliseconds(stalledAfterSeconds: rule.stalledAfterSeconds)
        forgottenAfterMilliseconds = rule.failedAfterSeconds * 1000
    }

    /// The longest time between two beats that is no interruption: 15 s, at most half the time after which a job is
    /// stalled.
    public static func gapMilliseconds(stalledAfterSeconds: Int64) -> Int64 {
        min(15_000, stalledAfterSeconds * 500)
    }

    /// Where the way stands.
    ///
    /// - Parameters:
    ///   - beats: all that the database keeps.
    ///   - nowMilliseconds: now, by the database's clock.
    /// - Returns: what is recorded, since when, and what is in the way.
    public func state(of beats: [PathBeat], nowMilliseconds: Int64) -> PathState {
        let latest = nowMilliseconds + PathBeat.stepMilliseconds
        // What lies in the future is of before the database's clock was set back, and says nothing any more.
        var state = PathState(
            upSinceMilliseconds: beats.map(\.upSinceMilliseconds).filter { $0 <= latest }.max() ?? 0
        )
        var isSetBack = false
        var oldest: PathBeat?
        for link in Dictionary(grouping: beats, by: { Link(ingest: $0.ingest, writer: $0.writer) }).values {
            let lanes = link.filter { isOnDuty($0, among: beats) }.map { lane in
                var lane = lane
                // Not heard of since the step, whose time the others have noted.
                if lane.beatMilliseconds > latest { lane.beatMilliseconds = state.upSinceMilliseconds }
                return lane
            }
            guard let newest = lanes.map(\.beatMilliseconds).max() else { continue }
            // While one lane lives the writer lives, and the others belong to it however long they are silent.
            let end = newest + forgottenAfterMilliseconds
            guard nowMilliseconds <= end else {
                state.upSinceMilliseconds = max(state.upSinceMilliseconds, end)
                continue
            }
            isSetBack =
                isSetBack || link.contains { isOnDuty($0, among: beats) && $0.beatMilliseconds > latest }
            for lane in lanes where lane.beatMilliseconds < oldest?.beatMilliseconds ?? .max {
                oldest = lane
            }
        }
        guard let oldest else {
            state.interruption = "no ingest reaches the database through any writer"
            return state
        }
        state.recordedUntilMilliseconds = oldest.beatMilliseconds
        let silence = nowMilliseconds - oldest.beatMilliseconds
        if silence > gapMilliseconds {
            state.interruption =
                "nothing has come from ingest \(oldest.ingest) through lane \(oldest.lane) of writer "
                + "\(oldest.writer) for \(silence / 1000) s"
        } else if isSetBack {
            state.interruption = "the database's clock was set back"
        }
        return state
    }

    /// Whether something is to come that way. A writer that ended in order signed off for its ingests, too; where its
    /// lane is back, an ingest that is not has fallen silent meanwhile, or before.
    private func isOnDuty(_ beat: PathBeat, among beats: [PathBeat]) -> Bool {
        guard beat.isOff else { return true }
        return beat.isWriterOff
            && beats.contains { !$0.isOff && $0.writer == beat.writer && $0.lane == beat.lane }
    }

    private struct Link: Hashable {
        var ingest: String
        var writer: String
    }
}

/// Where the way into the database stands.
public struct PathState: Equatable, Sendable {
    /// What the doors took before this is recorded: UTC milliseconds by the database's clock. nil: nobody is on duty.
    public var recordedUntilMilliseconds: Int64?
    /// Silence before this may be ours: UTC milliseconds by the database's clock.
    public var upSinceMilliseconds: Int64
    /// What is in the way, in words. nil: nothing.
    public var interruption: String?

    /// Creates a state from its parts.
    public init(
        recordedUntilMilliseconds: Int64? = nil,
        upSinceMilliseconds: Int64,
        interruption: String? = nil
    ) {
        self.recordedUntilMilliseconds = recordedUntilMilliseconds
        self.upSinceMilliseconds = upSinceMilliseconds
        self.interruption = interruption
    }

    /// The longest silence that can count now, in milliseconds: that of a job that was never heard.
    public var longestSilence: Int64 {
        guard interruption == nil, let recordedUntilMilliseconds else { return 0 }
        return max(0, recordedUntilMilliseconds - upSinceMilliseconds)
    }

    /// A job's silence that could have been broken, in milliseconds; 0 while the way is interrupted.
    ///
    /// - Parameters:
    ///   - lastContactMilliseconds: UTC milliseconds by the database's clock.
    ///   - nowMilliseconds: now, by the same clock.
    /// - Returns: milliseconds.
    public func silence(sinceContact lastContactMilliseconds: Int64, nowMilliseconds: Int64) -> Int64 {
        guard interruption == nil, let recordedUntilMilliseconds else { return 0 }
        // A contact in the future was stored before the clock was set back, which began a new `upSince`.
        let isOfBeforeAStep = lastContactMilliseconds > nowMilliseconds + 2 * PathBeat.stepMilliseconds
        let since =
            isOfBeforeAStep
            ? upSinceMilliseconds : max(lastContactMilliseconds, upSinceMilliseconds)
        return max(0, recordedUntilMilliseconds - since)
    }
}
