import JobModel
import Logging
import Metrics
import ServiceKit

/// Watches the way into the database, and says when the detector abstains and why.
struct PathWatch {
    /// The name under which an interruption shows in the detector's health.
    static let part = "path"

    private let rule: PathRule
    private let health: Health
    private let logger: Logger
    private var isInterrupted: Bool?
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
    /// - Returns: where the way stands.
    mutating func judge(_ beats: [PathBeat], nowMilliseconds: Int64) -> PathState {
        let state = rule.state(of: beats, nowMilliseconds: nowMilliseconds)
        interrupted.record(state.interruption == nil ? 0 : 1)
        upFor.record(max(0, (state.recordedUntilMilliseconds ?? 0) - state.upSinceMilliseconds) / 1000)
        if let reason = state.interruption {
            abstained.increment()
            health.remark(Self.part, "no job is marked now: \(reason)")
            if isInterrupted != true {
                logger.error(
                    "no job is marked while the path into the database is interrupted",
                    metadata: ["reason": "\(reason)"]
                )
            }
        } else {
            health.remark(Self.part, nil)
            if isInterrupted == true {
                logger.warning("the path into the database is whole again; silence counts from now on")
            }
        }
        isInterrupted = state.interruption != nil
        return state
    }
}
