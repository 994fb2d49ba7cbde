internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import Logs

/// `sendense-backup-client flush`
struct Flush: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush",
        abstract: "Deliver the reports that the hub does not have yet.",
        discussion: """
            What a backup could not tell the hub waits in the state directory, with the times of then. This sends \
            it to the hub that is configured now, each job's reports in their order; a timer may run it, also \
            beside backups. What the hub refuses for good is put into spool/refused with the reason; moved back \
            into spool, it is sent again.

            Exit codes: 0 the hub has everything; 1 something is left, or was refused; 2 the arguments, the \
            environment or a file of ours are wrong.
            """
    )

    @OptionGroup(title: "The hub") var hub: HubArguments

    @Option(
        help: """
            The inventory, for the hub that it names. Default: $SENDENSE_SBC_CONFIG, else \
            \(BackupPlan.defaultInventory).
            """
    )
    var config: String?

    @Option(help: "Seconds to go on trying.")
    var timeout = 60

    @Flag(help: "Write the result to standard output as one JSON object.")
    var json = false

    @Flag(help: "Write nothing to standard output.")
    var quiet = false

    @OptionGroup(title: "Log and state") var place: PlaceArguments

    func run() throws {
        let set = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
        let run: FlushRun
        do throws(UsageError) {
            run = try flushRun(set)
        } catch {
            Output.complain("error: \(error)")
            throw ExitCode(ExitStatus.usage)
        }
        SignalWatch.ignoreBrokenPipes()
        let sink = try LogPlace(place.logFile, set).open()
        Logs.bootstrap(format: LogFormat(rawValue: place.logFormat) ?? .text, sink: sink)
        throw ExitCode(run.run(Logger(label: "sbc")))
    }

    private func flushRun(_ set: [String: String]) throws(UsageError) -> FlushRun {
        guard LogFormat(rawValue: place.logFormat) != nil else {
            throw UsageError("--log-format: '\(place.logFormat)' is not known; write text or json")
        }
        try UsageError.checkStyle(json: json, quiet: quiet)
        guard (1...3600).contains(timeout) else {
            throw UsageError("--timeout: must be 1 to 3600 seconds")
        }
        let named = place.stateDirectory ?? set["SENDENSE_SBC_STATE_DIR"]
        if let named, unsafe access(named, X_OK) != 0 {
            throw UsageError(
                "--state-dir: cannot enter \(named): \(systemErrorText(errno)); give the --state-dir of the backups"
            )
        }
        return FlushRun(
            access: try HubAccess(
                url: hub.hubURL,
                tokenFile: hub.hubTokenFile,
                caFile: hub.hubCAFile,
                set,
                fallback: try InventoryFile.load(config, set)?.inventory.hub
            ),
            stateDirectory: named ?? BackupPlan.stateDirectory(set),
            timeoutMilliseconds: Int64(timeout) * 1000,
            style: json ? .json : quiet ? .none : .text
        )
    }
}
