extension BackupPlan {
    /// The hooks of the command line, else those of the inventory.
    static func hooks(
        _ options: BackupOptions,
        _ machine: Inventory.Machine?
    ) throws(UsageError) -> SnapshotHooks {
        var hooks = machine?.hooks ?? SnapshotHooks()
        if let text = options.snapshotCommand { hooks.snapshot = try command(text, "--snapshot-command") }
        if let text = options.releaseCommand { hooks.release = try command(text, "--release-command") }
        if let seconds = options.hookTimeoutSeconds { hooks.timeoutSeconds = seconds }
        let range = SnapshotHooks.timeoutSecondsRange
        guard range.contains(hooks.timeoutSeconds) else {
            throw UsageError("--hook-timeout: must be \(range.lowerBound) to \(range.upperBound) seconds")
        }
        return hooks
    }

    private static func command(_ text: String, _ option: String) throws(UsageError) -> HookCommand {
        guard !text.allSatisfy(\.isWhitespace), !text.unicodeScalars.contains("\0") else {
            throw UsageError("\(option): is empty; give a command for /bin/sh, or leave it out")
        }
        return .shell(text)
    }
}
