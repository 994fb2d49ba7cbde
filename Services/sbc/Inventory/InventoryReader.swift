internal import Yams

/// Reads the nodes of an inventory; its errors name the place and the key.
struct InventoryReader {
    private static let machineKeys = ["name", "disks", "repository-id"] + usualKeys
    private static let usualKeys = [
        "snapshot-command", "release-command", "hook-timeout", "rate-limit", "connections", "requests",
    ]

    let file: String

    /// What machines have that do not say otherwise.
    func defaults(_ node: Node?, at path: String) throws(Inventory.Fault) -> Inventory.Machine {
        let machine = Inventory.Machine(name: "", disks: [])
        guard let node else { return machine }
        let members = try members(of: node, at: path, keys: Self.usualKeys)
        return try settled(machine, members, in: node, at: path)
    }

    func machine(
        _ node: Node,
        at path: String,
        _ usual: Inventory.Machine
    ) throws(Inventory.Fault) -> Inventory.Machine {
        let members = try members(of: node, at: path, keys: Self.machineKeys)
        let name = try text(members["name"], in: node, at: "\(path).name", remedy: "give the VM's name")
        guard name.unicodeScalars.count <= BackupPlan.vmNameScalarCountMax else {
            throw fault(
                members["name"] ?? node,
                "\(path).name: has more than \(BackupPlan.vmNameScalarCountMax) characters; shorten it"
            )
        }
        let nodes = try elements(of: members["disks"], in: node, at: "\(path).disks")
        guard (1...BackupPlan.diskCountMax).contains(nodes.count) else {
            throw fault(
                members["disks"] ?? node,
                nodes.isEmpty
                    ? "\(path).disks: is empty; list at least one source and target"
                    : "\(path).disks: has \(nodes.count) disks, \(BackupPlan.diskCountMax) are the most of a job"
            )
        }
        var machine = try settled(usual, members, in: node, at: path)
        machine.name = name
        if members["repository-id"] != nil {
            machine.repositoryID = try text(
                members["repository-id"],
                in: node,
                at: "\(path).repository-id",
                remedy: "give the repository that the hub files backups under"
            )
        }
        for (index, node) in nodes.enumerated() {
            machine.disks.append(try disk(node, at: "\(path).disks[\(index)]"))
        }
        return machine
    }

    func hub(_ node: Node, at path: String) throws(Inventory.Fault) -> HubAccess {
        let members = try members(of: node, at: path, keys: ["url", "token-file", "ca-file"])
        func optional(_ key: String) throws(Inventory.Fault) -> String? {
            guard let value = members[key] else { return nil }
            return try text(
                value,
                in: node,
                at: "\(path).\(key)",
                remedy: "give a path, or leave the key out"
            )
        }
        let url = try text(
            members["url"],
            in: node,
            at: "\(path).url",
            remedy: "give the hub's address, like https://hub.example:8443"
        )
        let address: String
        do throws(UsageError) {
            address = try HubAccess.checked(url)
        } catch {
            throw fault(members["url"] ?? node, "\(path).url: \(error)")
        }
        return HubAccess(
            url: address,
            tokenFile: try optional("token-file"),
            caFile: try optional("ca-file")
        )
    }

    /// A machine with the hooks and limits that a mapping gives it.
    private func settled(
        _ machine: Inventory.Machine,
        _ members: [String: Node],
        in node: Node,
        at path: String
    ) throws(Inventory.Fault) -> Inventory.Machine {
        var machine = machine
        if let value = members["snapshot-command"] {
            machine.hooks.snapshot = try command(value, at: "\(path).snapshot-command")
        }
        if let value = members["release-command"] {
            machine.hooks.release = try command(value, at: "\(path).release-command")
        }
        if let value = members["hook-timeout"] {
            let range = SnapshotHooks.timeoutSecondsRange
            machine.hooks.timeoutSeconds = try number(value, at: "\(path).hook-timeout", range, "seconds")
        }
        if let value = members["rate-limit"] {
            guard let rate = value.scalar.flatMap({ ByteRate($0.string) }) else {
                throw fault(value, "\(path).rate-limit: is no rate; write bytes per second, like 50M")
            }
            machine.limits.rate = rate
        }
        if let value = members["connections"] {
            let range = 1...BackupPlan.connectionCountMax
            machine.limits.connections = try number(value, at: "\(path).connections", range, "connections")
        }
        if let value = members["requests"] {
            let range = 1...BackupPlan.requestCountMax
            machine.limits.requests = try number(value, at: "\(path).requests", range, "requests")
        }
        return machine
    }

    private func disk(_ node: Node, at place: String) throws(Inventory.Fault) -> Inventory.Disk {
        let members = try members(of: node, at: place, keys: ["source", "target"])
        let source = try text(
            members["source"],
            in: node,
            at: "\(place).source",
            remedy: "give the path or NBD URI to read"
        )
        var disk = Inventory.Disk(
            source: try endpoint(source, members["source"] ?? node, at: "\(place).source")
        )
        if members["target"] != nil {
            let target = try text(
                members["target"],
                in: node,
                at: "\(place).target",
                remedy: "give the path or NBD URI to write"
            )
            disk.target = try endpoint(target, members["target"] ?? node, at: "\(place).target")
        }
        return disk
    }

    private func endpoint(_ text: String, _ node: Node, at path: String) throws(Inventory.Fault) -> Endpoint {
        if let words = Endpoint.fault(ofOldSpelling: text) { throw fault(node, "\(path): \(words)") }
        return Endpoint(text)
    }
}
