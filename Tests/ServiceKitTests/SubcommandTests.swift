import Testing

@testable import ServiceKit

/// Settings of a subcommand, and flags.
@Suite struct SubcommandTests {
    private static let declared =
        [Setting].common + [
            Setting("writer.bind", default: "tcp://127.0.0.1:5590", help: "endpoint"),
            Setting("dry-run", isFlag: true, of: ["migrate", "unmigrate"], help: "prints"),
            Setting("rows", of: ["migrate", "unmigrate"], help: "count"),
            Setting("drop-data", isFlag: true, of: ["unmigrate"], help: "drops"),
        ]

    private func settings(
        _ subcommand: String?,
        _ arguments: [String],
        _ environment: [String: String] = [:]
    ) async throws -> Settings {
        try await Settings(
            Self.declared,
            subcommand: subcommand,
            arguments: arguments,
            environment: environment
        )
    }

    @Test(arguments: [
        ([], false),
        (["--dry-run"], true),
        (["--dry-run", "--rows", "5"], true),
        (["--rows", "5", "--dry-run"], true),
        (["--dry-run", "true"], true),
        (["--dry-run=true"], true),
        (["--dry-run", "false"], false),
        (["--dry-run=false"], false),
    ])
    func `a flag stands alone or has a value`(arguments: [String], expected: Bool) async throws {
        let settings = try await settings("migrate", arguments)
        #expect(try settings.bool("dry-run") == expected)
        #expect(settings.optionalString("rows") == (arguments.contains("5") ? "5" : nil))
    }

    @Test func `a flag may come from the environment`() async throws {
        let settings = try await settings("migrate", [], ["SENDENSE_DRY_RUN": "true"])
        #expect(try settings.bool("dry-run"))
        let other = try await self.settings("migrate", ["--dry-run", "false"], ["SENDENSE_DRY_RUN": "true"])
        #expect(try !other.bool("dry-run"))
    }

    @Test func `a flag that is neither true nor false is refused`() async throws {
        let settings = try await settings("migrate", ["--dry-run", "maybe"])
        let error = try #require(throws: SettingsError.self) { try settings.bool("dry-run") }
        #expect(error.description.contains("--dry-run") && error.description.contains("true or false"))
    }

    @Test(arguments: [
        (nil, ["--dry-run"], "--dry-run belongs to migrate and unmigrate only"),
        ("migrate", ["--drop-data"], "--drop-data belongs to unmigrate only"),
        ("migrate", ["--dryrun"], "--dryrun is no setting"),
        ("migrate", ["--dry-run", "true", "false"], "\"false\" stands alone"),
    ])
    func `what belongs elsewhere is refused and told where`(
        subcommand: String?,
        arguments: [String],
        message: String
    ) async {
        do {
            _ = try await settings(subcommand, arguments)
            Issue.record("\(arguments) was taken")
        } catch {
            #expect("\(error)".contains(message), "\(error)")
        }
    }

    @Test func `a subcommand takes the program's own settings too`() async throws {
        let settings = try await settings("migrate", ["--dry-run", "--writer-bind", "x"])
        #expect(try settings.string("writer.bind") == "x")
    }

    @Test func `the help shows a setting under each subcommand that takes it, and nowhere else`() {
        let text = ServiceRunner.help(
            name: "program",
            summary: "Does.",
            subcommands: [("migrate", "goes up"), ("unmigrate", "goes down")],
            settings: Self.declared
        )
        let parts = text.split(separator: "settings (command line")
        #expect(parts.count == 2)
        #expect(parts[0].split(separator: "--dry-run").count == 3)
        #expect(parts[0].split(separator: "--drop-data").count == 2)
        #expect(parts[1].contains("--writer-bind") && !parts[1].contains("--dry-run"))
        let migrate = parts[0].split(separator: "unmigrate")[0]
        #expect(migrate.contains("--rows") && !migrate.contains("--drop-data"))
    }
}
