extension BackupPlan {
    /// The disks of `--disk`, or of the inventory, with the targets of `--nbd-targets` where it is given.
    static func disks(
        _ options: BackupOptions,
        _ inventory: InventoryFile?
    ) throws(UsageError) -> [DiskArgument] {
        let disks: [DiskArgument]
        if let text = options.nbdTargets {
            disks = try Self.disks(options, inventory, targets: text)
        } else if options.disks.isEmpty {
            disks = try inventoryTargets(options, inventory)
        } else {
            var given: [DiskArgument] = []
            for text in options.disks {
                do throws(DiskArgument.Fault) {
                    given.append(try DiskArgument(text))
                } catch {
                    throw UsageError("--disk: \(error)")
                }
            }
            disks = given
        }
        guard disks.count <= diskCountMax else {
            throw UsageError("\(disks.count) disks are more than the \(diskCountMax) that a job may have")
        }
        return disks
    }

    /// Pairs the hub's targets with the sources that are known here.
    private static func disks(
        _ options: BackupOptions,
        _ inventory: InventoryFile?,
        targets text: String
    ) throws(UsageError) -> [DiskArgument] {
        let targets: [String]
        do throws(NBDTargets.Fault) {
            targets = try NBDTargets(text).uris
        } catch {
            throw UsageError("--nbd-targets: \(error)")
        }
        if let words = options.disks.lazy.compactMap({ Endpoint.fault(ofOldSpelling: $0) }).first {
            throw UsageError("--disk: \(words)")
        }
        let sources =
            options.disks.isEmpty
            ? try inventoryDisks(options, inventory).disks.map(\.source) : options.disks.map { Endpoint($0) }
        guard sources.count == targets.count else {
            throw UsageError(
                "--nbd-targets: has \(targets.count) disk(s), and \(sources.count) source(s) are known from "
                    + (options.disks.isEmpty ? "the inventory" : "--disk") + "; give a target for each"
            )
        }
        return zip(sources, targets).map { DiskArgument(source: $0, target: .uri($1)) }
    }

    private static func inventoryTargets(
        _ options: BackupOptions,
        _ inventory: InventoryFile?
    ) throws(UsageError) -> [DiskArgument] {
        let (file, disks) = try inventoryDisks(options, inventory)
        var complete: [DiskArgument] = []
        for (index, disk) in disks.enumerated() {
            guard let target = disk.target else {
                throw UsageError(
                    "\(file): disk \(index) of \(options.vm) has no target; add one, or give --nbd-targets"
                )
            }
            complete.append(DiskArgument(source: disk.source, target: target))
        }
        return complete
    }

    private static func inventoryDisks(
        _ options: BackupOptions,
        _ inventory: InventoryFile?
    ) throws(UsageError) -> (file: String, disks: [Inventory.Disk]) {
        guard let inventory else {
            throw UsageError(
                "cannot read the inventory \(defaultInventory), which should list the disks of \(options.vm); "
                    + "give --disk SOURCE=TARGET, or another file with --config"
            )
        }
        guard let machine = inventory.inventory.machine(options.vm) else {
            let names = inventory.inventory.machines.map(\.name)
            let nearest = Spelling.nearest(to: options.vm, in: names).map { " (did you mean \($0)?)" } ?? ""
            throw UsageError(
                "\(inventory.path): has no VM called '\(options.vm)'\(nearest); add it under vms, or give "
                    + "--disk SOURCE=TARGET"
            )
        }
        return (inventory.path, machine.disks)
    }
}
