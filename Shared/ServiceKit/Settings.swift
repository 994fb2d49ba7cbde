internal import Configuration
internal import FoundationEssentials
internal import SystemPackage

/// A setting is missing, unknown or makes no sense. The description names it and the remedy.
public struct SettingsError: Error, CustomStringConvertible {
    /// The error in words.
    public let description: String

    /// Creates an error from its words.
    public init(_ description: String) {
        self.description = description
    }
}

/// The settings of one service: command line before environment before file before defaults.
public struct Settings: Sendable {
    private let reader: ConfigReader
    private let known: [String: Setting]

    /// Collects the settings.
    ///
    /// - Parameters:
    ///   - all: all that the service knows.
    ///   - subcommand: the subcommand that was named, whose own settings are taken as well.
    ///   - arguments: the command line without the program's name and subcommand.
    ///   - environment: the variables to read; the process's own if nil.
    /// - Throws: `SettingsError` for a flag that is not declared, or a file that cannot be read.
    public init(
        _ all: [Setting],
        subcommand: String? = nil,
        arguments: [String],
        environment: [String: String]? = nil
    ) async throws {
        let declared = all.filter { $0.belongs(to: subcommand) }
        known = Dictionary(declared.map { ($0.key, $0) }) { first, _ in first }
        let arguments = try Self.checked(arguments, declared, all)
        var environment = environment ?? ProcessInfo.processInfo.environment
        for setting in declared where setting.isSecret {
            if let path = environment["\(setting.variable)_FILE"] {
                environment[setting.variable] = try Self.secret(at: path, named: "\(setting.variable)_FILE")
            }
        }
        let commandLine = CommandLineArgumentsProvider(arguments: [""] + arguments)
        let variables = EnvironmentVariablesProvider(environmentVariables: environment)
            .prefixKeys(with: "sendense")
        var providers: [any ConfigProvider] = [commandLine, variables]
        if let path = ConfigReader(providers: providers).string(forKey: "config") {
            do {
                providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(path)))
            } catch {
                throw SettingsError("--config \(path): cannot be read as a JSON object: \(error)")
            }
        }
        let defaults = Dictionary(
            declared.compactMap { setting in
                setting.defaultValue.map {
                    (AbsoluteConfigKey(ConfigKey(setting.key)), ConfigValue(.string($0), isSecret: false))
                }
            }
        ) { first, _ in first }
        providers.append(InMemoryProvider(values: defaults))
        reader = ConfigReader(providers: providers)
    }

    /// The value of a setting. nil if there is none or it is empty.
    public func optionalString(_ key: String) -> String? {
        precondition(known[key] != nil, "setting \(key) is not declared")
        // A number on the command line or in a file is a string to us: each setting has one parser, its own.
        let value =
            reader.string(forKey: ConfigKey(key)) ?? reader.int(forKey: ConfigKey(key)).map { "\($0)" }
        guard let value, !value.isEmpty else { return nil }
        return value
    }

    /// The value of a setting that must be there.
    public func string(_ key: String) throws(SettingsError) -> String {
        guard let value = optionalString(key) else {
            throw SettingsError("\(names(key)) is missing: \(known[key]?.help ?? "")")
        }
        return value
    }

    /// A whole number within bounds.
    public func int(_ key: String, in range: ClosedRange<Int>) throws(SettingsError) -> Int {
        let text = try string(key)
        guard let value = Int(text), range.contains(value) else {
            throw SettingsError(
                "\(names(key)) is \"\(text)\"; it must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    /// Whether a flag is set.
    public func bool(_ key: String) throws(SettingsError) -> Bool {
        let text = try string(key)
        guard let value = Bool(text) else {
            throw SettingsError("\(names(key)) is \"\(text)\"; it must be true or false")
        }
        return value
    }

    /// A `host:port` or `[host]:port` to listen on or connect to.
    public func address(_ key: String) throws(SettingsError) -> (host: String, port: Int) {
        let text = try string(key)
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else {
            throw SettingsError("\(names(key)) is \"\(text)\"; it must be HOST:PORT, such as 127.0.0.1:8082")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return (host.isEmpty ? "127.0.0.1" : host, port)
    }

    private func names(_ key: String) -> String {
        guard let setting = known[key] else { return key }
        return "\(setting.flag) (\(setting.variable))"
    }

    /// The arguments, each flag that stands alone with its value.
    private static func checked(
        _ arguments: [String],
        _ declared: [Setting],
        _ all: [Setting]
    ) throws(SettingsError) -> [String] {
        var checked: [String] = []
        var open: Setting?
        for argument in arguments {
            if argument.hasPrefix("--") {
                if open?.isFlag == true { checked.append("true") }
                let name = argument.split(separator: "=", maxSplits: 1).first.map(String.init) ?? argument
                guard let setting = declared.first(where: { $0.flag == name }) else {
                    throw SettingsError(refusal(of: name, all))
                }
                open = argument.contains("=") ? nil : setting
            } else {
                guard open != nil else {
                    throw SettingsError("\"\(argument)\" stands alone; settings are written --name value")
                }
                open = nil
            }
            checked.append(argument)
        }
        if open?.isFlag == true { checked.append("true") }
        return checked
    }

    private static func refusal(of name: String, _ all: [Setting]) -> String {
        guard let setting = all.first(where: { $0.flag == name }) else {
            return "\(name) is no setting of this service; --help lists them"
        }
        return "\(name) belongs to \(setting.subcommands.joined(separator: " and ")) only"
    }

    private static func secret(at path: String, named name: String) throws(SettingsError) -> String {
        do {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return text.hasSuffix("\n") ? String(text.dropLast()) : text
        } catch {
            throw SettingsError("\(name): the file \(path) cannot be read: \(error)")
        }
    }
}
