internal import ArgumentParser
internal import Glibc

/// The program on the node appliance: copies a VM's disks and reports how it goes.
@main
struct SendenseBackupClient: ParsableCommand {
    static let version = "2.0.0"

    static let discussion = """
        Without a subcommand, backup is run.

        Exit codes: 0 the copy is good; 1 a disk could not be copied; 2 the arguments, the environment or a \
        file of ours are wrong and nothing was done; 3 the hub refused or cancelled the job; 130 SIGINT; \
        143 SIGTERM. Whether reports reach the hub never changes the copy: what was not delivered is logged, \
        and told on standard error. A second signal ends the program at once.
        """

    static let configuration = CommandConfiguration(
        commandName: "sendense-backup-client",
        abstract: "Copy a VM's disks and report progress to the hub.",
        discussion: "\(discussion)\n\nThe options of a backup: sendense-backup-client help backup.",
        version: version,
        subcommands: [Backup.self],
        defaultSubcommand: Backup.self
    )

    /// As ArgumentParser's own, but for the exit code of wrong arguments, which is 2 here.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if !text.isEmpty {
                Output.write(text + "\n", to: code == .success ? STDOUT_FILENO : STDERR_FILENO)
            }
            Glibc.exit(code == .validationFailure ? ExitStatus.usage : code.rawValue)
        }
    }
}
