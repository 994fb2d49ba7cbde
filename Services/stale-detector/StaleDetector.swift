import Database
import DatabaseKit
import JobModel
import Logging
import ServiceKit

/// The watchman: calls out jobs whose clients have fallen silent.
@main
enum StaleDetector {
    static func main() async {
        DatabaseLibrary.initialize()
        await ServiceRunner.main(
            name: "sendense-stale-detector",
            summary: "Marks jobs stalled and failed when their clients have been silent for too long.",
            settings: StaleDetectorSettings.declared
        ) { runner, _ in
            let settings = try StaleDetectorSettings(runner.settings)
            let health = Health(waitingFor: [Sweep.part])
            let sweep = Sweep(settings, health: health, logger: runner.logger)
            let admin = AdminServer(
                address: settings.admin,
                setting: "stale-detector.admin",
                health: health,
                registry: runner.registry,
                logger: runner.logger
            )
            try await runner.run([admin, sweep.service()])
        }
    }
}

/// What the stale-detector can be told.
struct StaleDetectorSettings: Sendable {
    /// Where the admin endpoints listen.
    var admin: (host: String, port: Int)
    /// The thresholds.
    var rule: StaleRule
    /// Milliseconds between two looks.
    var scanIntervalMilliseconds: Int
    /// The database.
    var database: DatabaseSettings

    static let declared: [Setting] =
        [
            Setting(
                "stale-detector.admin",
                default: "127.0.0.1:9591",
                help: "HOST:PORT of /livez, /readyz and /metrics"
            ),
            Setting("stalled.after", default: "60", help: "seconds of silence after which a job is stalled"),
            Setting("failed.after", default: "300", help: "seconds of silence after which a job has failed"),
            Setting("scan.interval", default: "250", help: "milliseconds between two looks"),
        ] + .database

    init(_ settings: Settings) throws(SettingsError) {
        admin = try settings.address("stale-detector.admin")
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
        scanIntervalMilliseconds = try settings.int("scan.interval", in: 10...60_000)
        database = try DatabaseSettings(settings)
    }
}
