/// The process's exit codes. They are part of its interface: `--help` lists them.
enum ExitStatus {
    static let success: Int32 = 0
    /// A disk could not be copied.
    static let copyFailed: Int32 = 1
    /// `flush`: something is left, or was refused for good.
    static let notDelivered: Int32 = 1
    /// `check`: some disk cannot be backed up.
    static let checkFailed: Int32 = 1
    /// The arguments, the environment or a file of ours are wrong; nothing was done.
    static let usage: Int32 = 2
    /// The hub refused or cancelled the job.
    static let refused: Int32 = 3

    /// The copy is good, but the release command failed.
    static let notReleased: Int32 = 4

    /// The shell's convention for a signal: 130 for SIGINT, 143 for SIGTERM.
    static func signal(_ number: Int32) -> Int32 { 128 + number }
}

/// Something in the arguments, the environment or a file that the user has to change. Nothing was done yet.
struct UsageError: Error, Equatable, CustomStringConvertible {
    /// The option or key, what is wrong with it, and what would be right.
    var description: String

    init(_ description: String) {
        self.description = description
    }

    /// - Throws: where both are given, of which one keeps back what the other writes.
    static func checkStyle(json: Bool, quiet: Bool) throws(UsageError) {
        guard json && quiet else { return }
        throw UsageError("--json, --quiet: one keeps back what the other writes; give one of them")
    }
}
