internal import Yams

/// The machines that a node backs up, and where their disks are: a YAML file.
///
/// ```yaml
/// hub:
///   url: https://hub.example:8443
///   token-file: /etc/sendense/hub.token
///   ca-file: /etc/sendense/ca.pem
/// defaults:
///   rate-limit: 200M
///   hook-timeout: 120
/// vms:
///   - name: pgtest1
///     snapshot-command: lvcreate -s -n pg-snap -L 5G vg/pg
///     release-command: [lvremove, --yes, vg/pg-snap]
///     rate-limit: 50M
///     disks:
///       - source: /dev/vg/pg-snap
///         target: /backup/pgtest1-disk0.raw
///       - source: nbd+unix:///?socket=/run/vddk/pgtest1-1.sock
///         target: nbd://127.0.0.1:10101/pgtest1-disk1
/// ```
struct Inventory: Equatable, Sendable {
    struct Machine: Equatable, Sendable {
        var name: String
        var repositoryID: String?
        var disks: [Disk]
        var hooks = SnapshotHooks()
        var limits = Limits()
    }

    struct Disk: Equatable, Sendable {
        var source: Endpoint
        /// nil where the hub's `--nbd-targets` say it.
        var target: Endpoint?
    }

    /// What a machine's backups may use; nil is as the client has it.
    struct Limits: Equatable, Sendable {
        var rate: ByteRate?
        /// Connections to each server.
        var connections: Int?
        /// Requests in flight on each connection.
        var requests: Int?
    }

    /// What is wrong with a file, and where.
    struct Fault: Error, Equatable, CustomStringConvertible {
        var file: String
        /// The most characters of a reason that are shown: it may quote the file.
        private static let reasonCountMax = 500

        /// From 1. nil where it is about the whole file.
        var line: Int?
        /// From 1, with the line.
        var column: Int?
        /// The key at fault, what is wrong, and what would be right.
        var reason: String

        var description: String {
            let place = [line, column].compactMap { $0 }.map { ":\($0)" }.joined()
            return "\(file)\(place): \(reason.prefix(Self.reasonCountMax))"
        }
    }

    /// nil where the file does not speak of the hub.
    var hub: HubAccess?
    var machines: [Machine]

    init(machines: [Machine]) {
        self.machines = machines
    }

    /// Reads a file's text.
    ///
    /// - Throws: `Fault` with the line and the column.
    init(yaml: String, file: String) throws(Fault) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch let error as YamlError {
            throw Fault(
                file: file,
                line: error.mark?.line,
                column: error.mark?.column,
                reason: "this is not valid YAML: \(error.words)"
            )
        } catch {
            throw Fault(file: file, reason: "this is not valid YAML: \(error)")
        }
        guard let root else {
            throw Fault(file: file, reason: "the file is empty; it needs the key vms")
        }
        let reader = InventoryReader(file: file)
        let top = try reader.members(of: root, at: "", keys: ["vms", "hub", "defaults"])
        hub = try top["hub"].map { node throws(Fault) in try reader.hub(node, at: "hub") }
        let usual = try reader.defaults(top["defaults"], at: "defaults")
        let vms = try reader.elements(of: top["vms"], in: root, at: "vms")
        var machines: [Machine] = []
        var names: Set<String> = []
        for (index, node) in vms.enumerated() {
            let machine = try reader.machine(node, at: "vms[\(index)]", usual)
            guard names.insert(machine.name).inserted else {
                throw reader.fault(
                    node,
                    "vms[\(index)].name: \(machine.name) occurs twice; give each VM once"
                )
            }
            machines.append(machine)
        }
        self.machines = machines
    }

    /// A machine by its name. nil if it is not in the file.
    func machine(_ name: String) -> Machine? {
        machines.first { $0.name == name }
    }
}

extension YamlError {
    /// Where a syntax error is, from 1.
    fileprivate var mark: Mark? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark
        case .duplicatedKeysInMapping(_, let context): context.mark
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
