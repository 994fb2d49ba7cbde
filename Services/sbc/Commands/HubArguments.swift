internal import ArgumentParser

/// The options that say where the hub is.
struct HubArguments: ParsableArguments {
    @Option(help: "The hub's address. Default: $SHA_API_URL, else \(HubAccess.defaultURL).")
    var hubURL: String?

    @Option(
        help: """
            A file with the token that the hub wants; sent to https:// addresses and within this machine only. \
            Default: $SENDENSE_SBC_HUB_TOKEN_FILE, else none.
            """
    )
    var hubTokenFile: String?

    @Option(
        name: .customLong("hub-ca-file"),
        help: """
            A PEM file of the authorities that vouch for an https:// hub. Default: $SENDENSE_SBC_HUB_CA_FILE, \
            else the system's.
            """
    )
    var hubCAFile: String?
}

/// The options that say where a run writes besides its targets.
struct PlaceArguments: ParsableArguments {
    @Option(
        help: """
            The log. Default: $SENDENSE_SBC_LOG, else \(BackupPlan.defaultLogFile) where it can be written, \
            else standard error.
            """
    )
    var logFile: String?

    @Option(help: "How log lines are written: text or json.")
    var logFormat = "text"

    @Option(
        name: .customLong("state-dir"),
        help: """
            Where attempts are remembered, and reports wait that the hub does not have yet. Default: \
            $SENDENSE_SBC_STATE_DIR, else \(BackupPlan.defaultStateDirectory) for root, else \
            ~/.local/state/sendense-backup-client.
            """
    )
    var stateDirectory: String?
}
