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
            subcommands: [
                Subcommand("migrate", help: "goes up"), Subcommand("unmigrate", help: "goes down"),
                Subcommand("explain", argument: "JOB", help: "tells"),
            ],
            settings: Self.declared
        )
        let parts = text.split(separator: "settings (command line")
        #expect(parts.count == 2)
        #expect(parts[0].contains("  explain JOB "))
        #expect(parts[0].split(separator: "--dry-run").count == 3)
        #expect(parts[0].split(separator: "--drop-data").count == 2)
        #expect(parts[1].contains("--writer-bind") && !parts[1].contains("--dry-run"))
        let migrate = parts[0].split(separator: "unmigrate")[0]
        #expect(migrate.contains("--rows") && !migrate.contains("--drop-data"))
    }

    private static let subcommands = [
        Subcommand("migrate", help: "goes up"), Subcommand("explain", argument: "JOB", help: "tells"),
    ]

    @Test(arguments: [
        ([], nil, []),
        (["--dry-run"], nil, ["--dry-run"]),
        (["migrate", "--dry-run"], Subcommand.Call(name: "migrate"), ["--dry-run"]),
        (["explain", "job-1", "--json"], Subcommand.Call(name: "explain", argument: "job-1"), ["--json"]),
        (["explain", "explain"], Subcommand.Call(name: "explain", argument: "explain"), []),
    ])
    func `a subcommand's argument stands right behind it`(
        arguments: [String],
        expected: Subcommand.Call?,
        rest: [String]
    ) throws {
        var arguments = arguments
        #expect(
            try Subcommand.take(from: &arguments, of: Self.subcommands, program: "program") == expected
        )
        #expect(arguments == rest)
    }

    @Test(arguments: [
        (["explain"], "explain needs JOB right behind it: program explain JOB"),
        (["explain", "--json"], "explain needs JOB right behind it"),
        (["explain", "--json", "job-1"], "explain needs JOB right behind it"),
        (["explain", ""], "explain needs JOB right behind it"),
        (["migrate", "job-1"], "migrate takes no argument \"job-1\""),
        (["explain", "job-1", "job-2"], "explain takes one argument, JOB, and not \"job-2\" as well"),
        (["expalin", "job-1"], "there is no subcommand \"expalin\"; there is migrate, explain"),
    ])
    func `an argument that is missing or too many is told`(arguments: [String], message: String) throws {
        var arguments = arguments
        let error = try #require(throws: SettingsError.self) {
            _ = try Subcommand.take(from: &arguments, of: Self.subcommands, program: "program")
        }
        #expect(error.description.contains(message), "\(error)")
    }
}
