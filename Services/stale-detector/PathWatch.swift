import JobModel
import Logging
import Metrics
import ServiceKit

/// Watches the way into the database, and says when the detector abstains and why.
///
/// At a start others may still be on their way: for as long as a gap may last that is no interruption, what is in the
/// way then is no error. It is judged, measured and shown in the health like any other, and nothing is marked.
struct PathWatch {
    private enum Stage: Equatable {
        /// It was not whole yet since the first look, at this monotonic time.
        case starting(sinceMilliseconds: Int64?)
        case whole
        /// That it is interrupted was told.
        case interrupted
    }

    /// The name under which an interruption shows in the detector's health.
    static let part = "path"

    private let rule: PathRule
    private let health: Health
    private let logger: Logger
    private var stage = Stage.starting(sinceMilliseconds: nil)
    private let interrupted = Gauge(label: "sendense_stale_detector_path_interrupted")
    private let upFor = Gauge(label: "sendense_stale_detector_path_up_seconds")
    private let abstained = Counter(label: "sendense_stale_detector_abstained_looks_total")

    init(_ rule: PathRule, health: Health, logger: Logger) {
        self.rule = rule
        self.health = health
        self.logger = logger
    }

    /// Judges the way, and tells of a change.
    ///
    /// - Parameters:
    ///   - beats: all that the database keeps.
    ///   - nowMilliseconds: now, by the database's clock.
    ///   - monotonicMilliseconds: now, by this machine's monotonic clock.
    /// - Returns: where the way stands.
    mutating func judge(
        _ beats: [PathBeat],
        nowMilliseconds: Int64,
        monotonicMilliseconds: Int64
    ) -> PathState {
        let state = rule.state(of: beats, nowMilliseconds: nowMilliseconds)
        interrupted.record(state.interruption == nil ? 0 : 1)
        upFor.record(max(0, (state.recordedUntilMilliseconds ?? 0) - state.upSinceMilliseconds) / 1000)
        if let reason = state.interruption {
            abstained.increment()
            health.remark(Self.part, "no job is marked now: \(reason)")
            noteInterruption(reason, monotonicMilliseconds)
        } else {
            health.remark(Self.part, nil)
            if stage == .interrupted {
                logger.warning("the path into the database is whole again; silence counts from now on")
            }
            stage = .whole
        }
        return state
    }

    private mutating func noteInterruption(_ reason: String, _ monotonicMilliseconds: Int64) {
        switch stage {
        case .interrupted: return
        case .starting(let sinceMilliseconds):
            let since = sinceMilliseconds ?? monotonicMilliseconds
            stage = .starting(sinceMilliseconds: since)
            guard monotonicMilliseconds - since > rule.gapMilliseconds else { return }
        case .whole: break
        }
        stage = .interrupted
        logger.error(
            "no job is marked while the path into the database is interrupted",
            metadata: ["reason": "\(reason)"]
        )
    }
}
