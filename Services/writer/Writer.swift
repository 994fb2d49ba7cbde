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
            subcommands: MigrationOptions.subcommands + AuditOptions.subcommands,
            settings: WriterSettings.declared + MigrationOptions.declared + AuditOptions.declared
        ) { runner, call in
            let settings = try WriterSettings(runner.settings)
            switch call?.name {
            case nil:
                try await runner.run(try build(settings, runner))
            case "audit":
                try await Audit.run(settings.database, try AuditOptions(runner.settings, isAudit: true))
            case "explain":
                let options = try AuditOptions(runner.settings, isAudit: false)
                try await Explain.run(settings.database, options, jobID: call?.argument ?? "")
            case let name:
                let options = try MigrationOptions(runner.settings, isDown: name == "unmigrate")
                try await Migration.run(settings.database, options, logger: runner.logger)
            }
        }
    }
}
