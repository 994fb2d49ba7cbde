internal import ArgumentParser
internal import FoundationEssentials

/// `sendense-backup-client check`
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Hold the inventory against this machine.",
        discussion: """
            Reads the whole inventory, then looks whether each source can be read and how large it is, whether \
            each target can be written and is large enough, and whether the hooks can be run. It writes nothing \
            and runs no hook. A source that its snapshot only makes may be missing.

            Exit codes: 0 every disk can be backed up; 1 some cannot; 2 the inventory is wrong.
            """
    )

    @Option(help: "The inventory. Default: $SENDENSE_SBC_CONFIG, else \(BackupPlan.defaultInventory).")
    var config: String?

    @Option(name: .customLong("vm"), help: "Look at this VM only. Repeat it for more.")
    var machines: [String] = []

    @Flag(help: "Write one JSON object per disk.")
    var json = false

    @Flag(help: "Write nothing to standard output.")
    var quiet = false

    func run() throws {
        let set = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
        SignalWatch.ignoreBrokenPipes()
        let checks: [DiskCheck]
        do throws(UsageError) {
            checks = try self.checks(set)
        } catch {
            Output.complain("error: \(error)")
            throw ExitCode(ExitStatus.usage)
        }
        if json {
            for check in checks { Output.print(check.json.bytes + [UInt8(ascii: "\n")]) }
        } else if !quiet {
            Output.print(CheckTable(checks).text)
        }
        let isGood = checks.allSatisfy(\.problems.isEmpty)
        throw ExitCode(isGood ? ExitStatus.success : ExitStatus.checkFailed)
    }

    private func checks(_ set: [String: String]) throws(UsageError) -> [DiskCheck] {
        try UsageError.checkStyle(json: json, quiet: quiet)
        guard let file = try InventoryFile.load(config, set) else {
            throw UsageError(
                "there is no inventory \(BackupPlan.defaultInventory); write one, or name it with --config"
            )
        }
        let inventory = file.inventory
        if let hub = inventory.hub {
            // Token and certificates are read now, not in the night when they are needed.
            _ = try HubAccess(url: hub.url, tokenFile: hub.tokenFile, caFile: hub.caFile, [:])
        }
        var chosen = inventory.machines
        if !machines.isEmpty {
            chosen = []
            for name in machines {
                guard let machine = inventory.machine(name) else {
                    throw UsageError("--vm: \(file.path) has no VM called '\(name)'")
                }
                chosen.append(machine)
            }
        }
        let check = InventoryCheck(inventory: inventory)
        return chosen.flatMap { check.disks(of: $0) }
    }
}

extension DiskCheck {
    /// The disk as one NDJSON object.
    var json: JSON {
        .object([
            ("event", .string("checked")),
            ("vm_name", .string(machine)),
            ("disk_index", .integer(Int64(index))),
            ("source", .string(source.description)),
            ("target", target.map { .string($0.description) } ?? .null),
            ("total_bytes", JSON(size)),
            ("problems", .array(problems.map { .string($0) })),
            ("notes", .array(notes.map { .string($0) })),
        ])
    }
}

/// The checks for people.
struct CheckTable {
    let checks: [DiskCheck]

    init(_ checks: [DiskCheck]) {
        self.checks = checks
    }

    /// A table whose columns are as wide as they have to be, and a line that sums it up.
    var text: String {
        let rows =
            [["VM", "DISK", "SOURCE", "SIZE", "TARGET", "STATE"]]
            + checks.map { check in
                [
                    check.machine, "\(check.index)", check.source.description,
                    check.size.map { Units.size($0) } ?? "-", check.target?.description ?? "-", check.state,
                ]
            }
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column < 5 ? cell + String(repeating: " ", count: widths[column] - cell.count) : cell
            }
            return cells.joined(separator: "  ")
        }
        let bad = checks.count { !$0.problems.isEmpty }
        let machineCount = Set(checks.map(\.machine)).count
        let sum = "\(checks.count) disk(s) of \(machineCount) VM(s): "
        return (lines + ["", sum + (bad == 0 ? "all can be backed up" : "\(bad) cannot be backed up"), ""])
            .joined(separator: "\n")
    }
}
