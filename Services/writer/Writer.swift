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
            subcommands: MigrationOptions.subcommands,
            settings: WriterSettings.declared + MigrationOptions.declared
        ) { runner, call in
            let settings = try WriterSettings(runner.settings)
            if let call {
                let options = try MigrationOptions(runner.settings, isDown: call.name == "unmigrate")
                try await Migration.run(settings.database, options, logger: runner.logger)
            } else {
                try await runner.run(try build(settings, runner))
            }
        }
    }
}
