internal import Yams

/// The machines that a node backs up, and where their disks are: a YAML file.
///
/// ```yaml
/// vms:
///   - name: pgtest1
///     disks:
///       - source: /dev/mapper/pgtest1
///         target: /backup/pgtest1-disk0.raw
///       - source: nbd+unix:///?socket=/run/vddk/pgtest1-1.sock
///         target: nbd://127.0.0.1:10101/pgtest1-disk1
/// ```
struct Inventory: Equatable, Sendable {
    struct Machine: Equatable, Sendable {
        var name: String
        var disks: [Disk]
    }

    struct Disk: Equatable, Sendable {
        var source: Endpoint
        /// nil where the hub's `--nbd-targets` say it.
        var target: Endpoint?
    }

    /// What is wrong with a file, and where.
    struct Fault: Error, Equatable, CustomStringConvertible {
        var file: String
        /// From 1. nil where it is about the whole file.
        var line: Int?
        /// The key at fault, what is wrong, and what would be right.
        var reason: String

        var description: String {
            line.map { "\(file):\($0): \(reason)" } ?? "\(file): \(reason)"
        }
    }

    var machines: [Machine]

    /// Reads a file's text.
    ///
    /// - Throws: `Fault` with the line.
    init(yaml: String, file: String) throws(Fault) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch let error as YamlError {
            throw Fault(file: file, line: error.line, reason: "this is not valid YAML: \(error.words)")
        } catch {
            throw Fault(file: file, line: nil, reason: "this is not valid YAML: \(error)")
        }
        let reader = InventoryReader(file: file)
        guard let root else {
            throw Fault(file: file, line: nil, reason: "the file is empty; it needs the key vms")
        }
        let top = try reader.members(of: root, at: "", keys: ["vms"])
        let vms = try reader.elements(of: top["vms"], in: root, at: "vms")
        var machines: [Machine] = []
        for (index, node) in vms.enumerated() {
            let machine = try reader.machine(node, at: "vms[\(index)]")
            guard !machines.contains(where: { $0.name == machine.name }) else {
                throw reader.fault(
                    node,
                    "vms[\(index)].name: \(machine.name) occurs twice; give each VM once"
                )
            }
            machines.append(machine)
        }
        self.machines = machines
    }

    /// The disks of a machine. nil if it is not in the file.
    func disks(of name: String) -> [Disk]? {
        machines.first { $0.name == name }?.disks
    }
}

/// Reads the nodes of an inventory; its errors name the key.
private struct InventoryReader {
    let file: String

    func machine(_ node: Node, at path: String) throws(Inventory.Fault) -> Inventory.Machine {
        let members = try members(of: node, at: path, keys: ["name", "disks"])
        let name = try text(members["name"], in: node, at: "\(path).name", remedy: "give the VM's name")
        let nodes = try elements(of: members["disks"], in: node, at: "\(path).disks")
        guard !nodes.isEmpty else {
            throw fault(
                members["disks"] ?? node,
                "\(path).disks: is empty; list at least one source and target"
            )
        }
        var disks: [Inventory.Disk] = []
        for (index, node) in nodes.enumerated() {
            disks.append(try disk(node, at: "\(path).disks[\(index)]"))
        }
        return Inventory.Machine(name: name, disks: disks)
    }

    private func disk(_ node: Node, at place: String) throws(Inventory.Fault) -> Inventory.Disk {
        let members = try members(of: node, at: place, keys: ["source", "target"])
        let source = try text(
            members["source"],
            in: node,
            at: "\(place).source",
            remedy: "give the path or NBD URI to read"
        )
        guard members["target"] != nil else { return Inventory.Disk(source: Endpoint(source)) }
        let target = try text(
            members["target"],
            in: node,
            at: "\(place).target",
            remedy: "give the path or NBD URI to write"
        )
        return Inventory.Disk(source: Endpoint(source), target: Endpoint(target))
    }

    /// A mapping's members; a key that is not known is an error, since it is a typing mistake more often
    /// than not.
    func members(of node: Node, at path: String, keys: [String]) throws(Inventory.Fault) -> [String: Node] {
        let shown = path.isEmpty ? "the file" : path
        guard let mapping = node.mapping else {
            throw fault(node, "\(shown): must be a mapping with \(keys.joined(separator: ", "))")
        }
        var members: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.string, keys.contains(name) else {
                let name = key.string ?? "this key"
                throw fault(
                    key,
                    "\(path.isEmpty ? "" : path + ".")\(name): is not known here; known are "
                        + keys.joined(separator: ", ")
                )
            }
            members[name] = value
        }
        return members
    }

    func elements(of node: Node?, in parent: Node, at path: String) throws(Inventory.Fault) -> [Node] {
        guard let node else { throw fault(parent, "\(path): is missing; give a list") }
        guard let sequence = node.sequence else {
            throw fault(node, "\(path): must be a list; begin each with '- '")
        }
        return Array(sequence)
    }

    func text(
        _ node: Node?,
        in parent: Node,
        at path: String,
        remedy: String
    ) throws(Inventory.Fault) -> String {
        guard let node else { throw fault(parent, "\(path): is missing; \(remedy)") }
        guard let text = node.scalar?.string, !text.isEmpty else {
            throw fault(node, "\(path): must be a text; \(remedy)")
        }
        return text
    }

    func fault(_ node: Node, _ reason: String) -> Inventory.Fault {
        Inventory.Fault(file: file, line: node.mark?.line, reason: reason)
    }
}

extension YamlError {
    /// The line of a syntax error, from 1.
    fileprivate var line: Int? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        case .duplicatedKeysInMapping(_, let context): context.mark.line
        default: nil
        }
    }

    fileprivate var words: String {
        switch self {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _):
            problem
        case .duplicatedKeysInMapping(let duplicates, _):
            "a key occurs twice: \(duplicates.map { "\($0)" }.sorted())"
        default: "\(self)"
        }
    }
}
