import Database
import Logging
import ServiceKit
import Threading

/// Applies the rules and commits: the only service that writes what clients tell.
@main
enum Writer {
    static func main() async {
        DatabaseLibrary.initialize()
        await ServiceRunner.main(
            name: "sendense-writer",
            summary: "Stores telemetry in MariaDB, and answers once it is committed.",
            subcommands: [("migrate", "brings the database's tables up to date, and ends")],
            settings: WriterSettings.declared
        ) { runner, subcommand in
            let settings = try WriterSettings(runner.settings)
            if subcommand == "migrate" {
                try await Migration.run(settings.database, logger: runner.logger)
            } else {
                try await runner.run(try build(settings, runner))
            }
        }
    }
}
