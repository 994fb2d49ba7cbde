/// What a backup would do, without doing any of it.
struct DryRun {
    let plan: BackupPlan

    /// Looks at sources, targets and hooks, and shows the plan.
    ///
    /// - Returns: the process's exit code.
    func run() -> Int32 {
        let machine = Inventory.Machine(
            name: plan.identity.vmName,
            disks: plan.disks.map { Inventory.Disk(source: $0.source, target: $0.target) },
            hooks: plan.hooks
        )
        let checks = InventoryCheck(
            inventory: Inventory(machines: [machine]),
            changes: plan.changes,
            stateDirectory: plan.stateDirectory
        ).disks(of: machine)
        if plan.isJSON {
            for check in checks { Output.print(check.json.bytes + [UInt8(ascii: "\n")]) }
        } else if !plan.isQuiet {
            Output.print(text + CheckTable(checks).text)
        }
        return checks.allSatisfy(\.problems.isEmpty) ? ExitStatus.success : ExitStatus.checkFailed
    }

    private var text: String {
        let telemetry = plan.isTelemetryOn ? "reported to \(plan.hub.shownURL)" : "not reported"
        var lines = ["Would back up \(plan.identity.vmName) as \(plan.identity.jobID), \(telemetry)"]
        let rate = plan.rate.map { ", at most \(Units.size($0.bytesPerSecond))/s" } ?? ""
        lines.append(
            "  kind      \(plan.identity.backupType)\(plan.settings.isVerifying ? ", verified" : "")\(rate)"
        )
        if let command = plan.hooks.snapshot { lines.append("  snapshot  \(command.words)") }
        if let command = plan.hooks.release { lines.append("  release   \(command.words)") }
        return lines.joined(separator: "\n") + "\n\n"
    }
}

extension HookCommand {
    /// The command for people.
    fileprivate var words: String {
        switch self {
        case .shell(let text): text
        case .program(let arguments): arguments.joined(separator: " ")
        }
    }
}
