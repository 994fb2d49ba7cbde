internal import ArgumentParser
internal import Glibc

/// The program on the node appliance: copies a VM's disks and reports how it goes.
@main
struct SendenseBackupClient: ParsableCommand {
    static let version = "2.0.0"

    static let discussion = """
        Each disk is read from its source and written to its target, disks side by side, while the hub hears how \
        it goes. Sources and targets are files, block devices or NBD URIs. Without a subcommand, backup is run.

        To begin with, one disk and no hub:

          sendense-backup-client --vm web1 --no-telemetry \\
            --disk /dev/vg/web1=/backup/web1.raw

        With an inventory in \(BackupPlan.defaultInventory), which knows each VM's disks:

          sendense-backup-client check
          sendense-backup-client --vm web1 --dry-run
          sendense-backup-client --vm web1

        Into the exports that the hub has opened:

          sendense-backup-client --vm web1 \\
            --nbd-targets 2000:nbd://127.0.0.1:10100/web1-disk0

        Exit codes: 0 the copy is good; 1 a disk could not be copied, or the snapshot not be made; 2 the \
        arguments, the environment or a file of ours are wrong and nothing was done; 3 the hub refused or \
        cancelled the job; 4 the copy is good, but the release command failed; 128 and its number a signal: 129 \
        SIGHUP, 130 SIGINT, 131 SIGQUIT, 143 SIGTERM. Whether reports reach the hub changes neither the copy nor \
        its exit code: what was not delivered stays in the state directory, for the next backup or flush to \
        deliver. The first signal stops the copy and is reported as cancelled; where the copy has ended already, it \
        ends the delivery of reports and changes nothing else. A further one ends that delivery, or the program at once. A SIGHUP that nohup ignores stays ignored.
        """

    static let configuration = CommandConfiguration(
        commandName: "sendense-backup-client",
        abstract: "Copy a VM's disks and report progress to the hub.",
        discussion: discussion + """


            The options of a backup: sendense-backup-client help backup. The manual: man sendense-backup-client.
            """,
        version: version,
        subcommands: [Backup.self, Check.self, Flush.self],
        defaultSubcommand: Backup.self
    )

    /// As ArgumentParser's own, but for the exit code of wrong arguments, which is 2 here, and for readers who are
    /// not waited for.
    static func main() {
        StandardStreams.open()
        if let words = ArgumentText.fault() {
            Output.complain("error: \(words)")
            Output.settle()
            Glibc.exit(ExitStatus.usage)
        }
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if !text.isEmpty {
                if code == .success { Output.print(text + "\n") } else { Output.complain(raw: text + "\n") }
            }
            Output.settle()
            Glibc.exit(code == .validationFailure ? ExitStatus.usage : code.rawValue)
        }
    }
}
