/// One setting that a service knows: its name everywhere follows from its key.
///
/// `ingest.listen` is `--ingest-listen` on the command line, `SENDENSE_INGEST_LISTEN` in the environment and
/// `{"ingest": {"listen": …}}` in the file. The command line wins over the environment, that over the file.
public struct Setting: Sendable {
    /// Words joined by dots.
    public let key: String
    /// The value where none is given. nil: there is none then.
    public let defaultValue: String?
    /// What it does, with its unit.
    public let help: String
    /// Never printed; may also come from the file that `…_FILE` names.
    public let isSecret: Bool
    /// Either true or false, and true where it stands alone on the command line.
    public let isFlag: Bool
    /// The subcommands that it belongs to; no other takes it. Empty: it belongs to the program itself.
    public let subcommands: [String]

    /// Declares a setting.
    public init(
        _ key: String,
        default defaultValue: String? = nil,
        isSecret: Bool = false,
        isFlag: Bool = false,
        of subcommands: [String] = [],
        help: String
    ) {
        self.key = key
        self.defaultValue = isFlag ? "false" : defaultValue
        self.isSecret = isSecret
        self.isFlag = isFlag
        self.subcommands = subcommands
        self.help = help
    }

    /// Whether a run with this subcommand takes it; nil: a run with none.
    func belongs(to subcommand: String?) -> Bool {
        subcommands.isEmpty || subcommand.map(subcommands.contains) == true
    }

    /// Its name on the command line.
    public var flag: String { "--" + key.split(separator: ".").joined(separator: "-") }

    /// How messages name the setting of a key: by its flag and its variable.
    static func spellings(_ key: String) -> String {
        let setting = Setting(key, help: "")
        return "\(setting.flag) (\(setting.variable))"
    }

    /// Its name in the environment.
    public var variable: String {
        "SENDENSE_" + key.uppercased().map { $0 == "." || $0 == "-" ? "_" : String($0) }.joined()
    }
}

extension [Setting] {
    /// Settings that every service has.
    public static var common: [Setting] {
        [
            Setting("config", help: "JSON file with settings"),
            Setting(
                "log.level",
                default: "info",
                help: "trace, debug, info, notice, warning, error or critical"
            ),
            Setting("log.format", default: "text", help: "text or json"),
        ]
    }
}
