import JobModel
import ServiceKit

/// What the subcommands that look at jobs can be told.
struct AuditOptions: Sendable {
    static let subcommands = [
        Subcommand("audit", help: "holds every job against the rules, and ends with 3 if one breaks them"),
        Subcommand("explain", argument: "JOB", help: "tells why a job is in its state, and what comes next"),
    ]

    /// Mend what can be mended.
    var isRepair: Bool
    /// One JSON object per line.
    var isJSON: Bool
    /// The stale-detector's thresholds.
    var rule: StaleRule

    static let declared: [Setting] = [
        Setting(
            "repair",
            isFlag: true,
            of: ["audit"],
            help: "mends what a job's own rows prove, with an event each; without it nothing is written"
        ),
        Setting("json", isFlag: true, of: ["audit", "explain"], help: "prints one JSON object per line"),
        Setting(
            "stalled.after",
            default: "60",
            of: ["audit", "explain"],
            help: "seconds of silence after which a job is stalled, as the stale-detector has it"
        ),
        Setting(
            "failed.after",
            default: "300",
            of: ["audit", "explain"],
            help: "seconds of silence after which a job has failed, as the stale-detector has it"
        ),
    ]

    init(isRepair: Bool, isJSON: Bool, rule: StaleRule) {
        self.isRepair = isRepair
        self.isJSON = isJSON
        self.rule = rule
    }

    init(_ settings: Settings, isAudit: Bool) throws(SettingsError) {
        isRepair = isAudit ? try settings.bool("repair") : false
        isJSON = try settings.bool("json")
        let stalled = try settings.int("stalled.after", in: 1...86_400)
        let failed = try settings.int("failed.after", in: 1...864_000)
        guard let rule = StaleRule(stalledAfterSeconds: Int64(stalled), failedAfterSeconds: Int64(failed))
        else {
            throw SettingsError(
                "--failed-after (SENDENSE_FAILED_AFTER) is \(failed); it must be more than --stalled-after "
                    + "(SENDENSE_STALLED_AFTER), which is \(stalled)"
            )
        }
        self.rule = rule
    }
}
