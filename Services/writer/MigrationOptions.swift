import ServiceKit

/// What the subcommands that change tables can be told.
struct MigrationOptions: Sendable {
    static let subcommands = [
        Subcommand("migrate", help: "brings the database's tables up to date, and ends"),
        Subcommand(
            "unmigrate",
            help: "takes out of the tables what migrate has put in, and ends; stop the writers first"
        ),
    ]

    /// Whether to take out what was put in.
    var isDown: Bool
    /// Print, and change nothing.
    var isDryRun: Bool
    /// Rows that tables are taken to have. nil: those that they have.
    var assumedRows: Int64?
    /// Large tables may be written anew.
    var allowRebuild: Bool
    /// Backups in tables that we created may go.
    var dropData: Bool

    static let declared: [Setting] = [
        Setting(
            "dry-run",
            isFlag: true,
            of: ["migrate", "unmigrate"],
            help: "prints each statement with its cost, and changes nothing"
        ),
        Setting(
            "rows",
            of: ["migrate", "unmigrate"],
            help: "with --dry-run: the costs for tables of so many rows"
        ),
        Setting(
            "allow-rebuild",
            isFlag: true,
            of: ["migrate", "unmigrate"],
            help: "lets a statement write a large table anew, where the server has no lighter way"
        ),
        Setting(
            "drop-data",
            isFlag: true,
            of: ["unmigrate"],
            help: "lets tables that migrate has created go with the backups in them"
        ),
    ]

    init(_ settings: Settings, isDown: Bool) throws(SettingsError) {
        self.isDown = isDown
        isDryRun = try settings.bool("dry-run")
        allowRebuild = try settings.bool("allow-rebuild")
        dropData = isDown ? try settings.bool("drop-data") : false
        if settings.optionalString("rows") != nil {
            guard isDryRun else { throw SettingsError("--rows goes with --dry-run only") }
            assumedRows = Int64(try settings.int("rows", in: 0...1_000_000_000_000))
        }
    }
}
