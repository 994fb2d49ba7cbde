/// A program's other way to run, named by its first argument.
public struct Subcommand: Sendable {
    /// The word that names it.
    public let name: String
    /// What its one argument is called, like `JOB`. nil: it takes none.
    public let argument: String?
    /// What it does, in a line.
    public let help: String

    /// Declares a subcommand.
    public init(_ name: String, argument: String? = nil, help: String) {
        self.name = name
        self.argument = argument
        self.help = help
    }

    /// A subcommand as it was called.
    public struct Call: Equatable, Sendable {
        /// The subcommand's name.
        public let name: String
        /// Its argument, never empty. nil where it takes none.
        public let argument: String?

        /// Creates a call from its parts.
        public init(name: String, argument: String? = nil) {
            self.name = name
            self.argument = argument
        }
    }

    /// How it is written.
    var usage: String { argument.map { "\(name) \($0)" } ?? name }

    /// Takes the subcommand and its argument off the front of the command line.
    ///
    /// - Parameters:
    ///   - arguments: the command line without the program's name; what is left are settings.
    ///   - subcommands: those that the program has.
    ///   - program: the program's name, for errors.
    /// - Returns: what was called; nil if the command line begins with a setting, or is empty.
    /// - Throws: `SettingsError` for an unknown subcommand, and for an argument that is missing or too many.
    static func take(
        from arguments: inout [String],
        of subcommands: [Subcommand],
        program: String
    ) throws(SettingsError) -> Call? {
        guard let first = arguments.first, !first.hasPrefix("-") else { return nil }
        guard let subcommand = subcommands.first(where: { $0.name == first }) else {
            let known = subcommands.map(\.name).joined(separator: ", ")
            throw SettingsError(
                "there is no subcommand \"\(first)\"\(known.isEmpty ? "" : "; there is \(known)")"
            )
        }
        arguments.removeFirst()
        let next = arguments.first.flatMap { $0.isEmpty || $0.hasPrefix("-") ? nil : $0 }
        guard let wanted = subcommand.argument else {
            if let next { throw SettingsError("\(first) takes no argument \"\(next)\"") }
            return Call(name: first)
        }
        guard let next else {
            throw SettingsError("\(first) needs \(wanted) right behind it: \(program) \(subcommand.usage)")
        }
        arguments.removeFirst()
        if let more = arguments.first, !more.hasPrefix("-") {
            throw SettingsError("\(first) takes one argument, \(wanted), and not \"\(more)\" as well")
        }
        return Call(name: first, argument: next)
    }
}
