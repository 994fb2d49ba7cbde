internal import FoundationEssentials
internal import Glibc
public import Logging
internal import Logs
internal import Metrics
public import ServiceLifecycle
internal import UnixSignals

/// What each main shares: settings, logging, metrics, signals, exit codes.
public struct ServiceRunner: Sendable {
    /// The service's settings.
    public let settings: Settings
    /// The service's logger.
    public let logger: Logger
    /// The process's metrics.
    public let registry: PrometheusRegistry

    /// How long the end waits for standard error to be read.
    private static let lastWordsMilliseconds = 2000

    /// Runs a program: reads its settings, sets up logging and metrics, and hands over.
    ///
    /// Ends the process: 0 when all went well, 1 after a failure, 2 when a setting is wrong, another number
    /// where the body throws a `ProgramEnd`.
    ///
    /// - Parameters:
    ///   - name: the program's name, as in `sendense-writer`.
    ///   - summary: one line for `--help`.
    ///   - subcommands: the first argument may name one; its own argument stands right behind it.
    ///   - declared: all that the program knows beside the common ones.
    ///   - body: the program; gets the subcommand that was named with its argument, nil if none.
    public static func main(
        name: String,
        summary: String,
        subcommands: [Subcommand] = [],
        settings declared: [Setting],
        _ body: (ServiceRunner, Subcommand.Call?) async throws -> Void
    ) async -> Never {
        var arguments = Array(CommandLine.arguments.dropFirst())
        let declared = .common + declared
        if arguments.contains("--help") || arguments.contains("-h") {
            print(help(name: name, summary: summary, subcommands: subcommands, settings: declared))
            exit(0)
        }
        do {
            let call = try Subcommand.take(from: &arguments, of: subcommands, program: name)
            let settings = try await Settings(declared, subcommand: call?.name, arguments: arguments)
            let runner = try ServiceRunner(name: name, settings: settings)
            try await body(runner, call)
            end(0)
        } catch let error as SettingsError {
            fail(name, "\(error)", code: 2)
        } catch let end as ProgramEnd {
            fail(name, end.description, code: end.status)
        } catch {
            fail(name, "\(error)", code: 1)
        }
    }

    private init(name: String, settings: Settings) throws {
        self.settings = settings
        let levelText = try settings.string("log.level")
        guard let level = Logger.Level(rawValue: levelText) else {
            throw SettingsError(
                "--log-level (SENDENSE_LOG_LEVEL) is \"\(levelText)\"; it must be one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        let formatText = try settings.string("log.format")
        guard let format = LogFormat(rawValue: formatText) else {
            throw SettingsError(
                "--log-format (SENDENSE_LOG_FORMAT) is \"\(formatText)\"; it must be text or json"
            )
        }
        Logs.bootstrap(format: format, level: level)
        logger = Logger(label: name)
        registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        // A peer that closes its end is an error of one connection, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Runs services until one ends or SIGTERM or SIGINT comes; then shuts them down in reverse order.
    public func run(_ services: [any Service]) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: $0,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup
                    )
                },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        try await group.run()
    }

    private static func fail(_ name: String, _ message: String, code: Int32) -> Never {
        LogSink.standardError.stream.write(Array("\(name): \(message)\n".utf8))
        end(code)
    }

    /// Ends the process once what it said is written, or nobody has read it for a while.
    private static func end(_ code: Int32) -> Never {
        LogSink.standardError.stream.settle(milliseconds: lastWordsMilliseconds)
        exit(code)
    }

    static func help(
        name: String,
        summary: String,
        subcommands: [Subcommand],
        settings: [Setting]
    ) -> String {
        var lines = [
            "\(summary)", "",
            "usage: \(name)\(subcommands.isEmpty ? "" : " [SUBCOMMAND]") [--setting value …]",
        ]
        if !subcommands.isEmpty { lines += ["", "subcommands:"] }
        for subcommand in subcommands {
            lines.append("  \(padded(subcommand.usage, 28)) \(subcommand.help)")
            for setting in settings where setting.subcommands.contains(subcommand.name) {
                lines += help(setting, indent: "    ")
            }
        }
        lines += ["", "settings (command line before environment before --config file before default):"]
        for setting in settings where setting.subcommands.isEmpty { lines += help(setting, indent: "  ") }
        return lines.joined(separator: "\n")
    }

    private static func help(_ setting: Setting, indent: String) -> [String] {
        let standard = setting.defaultValue.map { $0.isEmpty || setting.isFlag ? "" : " [\($0)]" } ?? ""
        let variable = setting.isSecret ? "\(setting.variable) or \(setting.variable)_FILE" : setting.variable
        let width = 30 - indent.count
        return [
            "\(indent)\(padded(setting.flag, width)) \(setting.help)\(standard)",
            "\(indent)\(padded("", width)) \(variable)",
        ]
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
