internal import Glibc
internal import NBD

/// What a check found out about one disk.
struct DiskCheck: Equatable, Sendable {
    var machine: String
    var index: Int
    var source: Endpoint
    var target: Endpoint?
    /// The source's bytes. nil while unknown.
    var size: Int64?
    /// Why it cannot be backed up; empty if it can.
    var problems: [String] = []
    /// What is worth knowing, and no obstacle.
    var notes: [String] = []

    /// One word, or what is wrong.
    var state: String {
        problems.isEmpty ? (["ok"] + notes).joined(separator: "; ") : problems.joined(separator: "; ")
    }
}

/// Holds an inventory against the machine: sources, targets and hooks. It changes nothing.
struct InventoryCheck {
    static let connectMilliseconds = 5000
    static let shellMilliseconds: Int64 = 5000

    /// Who names a source or target, by its text.
    private typealias Place = (machine: String, index: Int)

    let inventory: Inventory
    /// What an incremental backup of the one machine copies, by disk. nil: all is copied.
    let changes: [ChangeSource]?
    /// Where targets are marked that a full copy left incomplete. nil: nobody asks.
    let stateDirectory: String?
    private let sources: [Endpoint: [Place]]
    private let targets: [Endpoint: [Place]]

    init(inventory: Inventory, changes: [ChangeSource]? = nil, stateDirectory: String? = nil) {
        self.inventory = inventory
        self.changes = changes
        self.stateDirectory = stateDirectory
        var sources: [Endpoint: [Place]] = [:]
        var targets: [Endpoint: [Place]] = [:]
        for machine in inventory.machines {
            for (index, disk) in machine.disks.enumerated() {
                sources[disk.source, default: []].append((machine.name, index))
                if let target = disk.target { targets[target, default: []].append((machine.name, index)) }
            }
        }
        self.sources = sources
        self.targets = targets
    }

    /// Looks at every disk of a machine, and at its hooks; those are named with its first disk.
    func disks(of machine: Inventory.Machine) -> [DiskCheck] {
        machine.disks.enumerated().map { index, disk in
            var check = DiskCheck(
                machine: machine.name,
                index: index,
                source: disk.source,
                target: disk.target
            )
            if index == 0 { check.problems += hookProblems(machine.hooks) }
            look(atSource: &check, hasSnapshot: machine.hooks.snapshot != nil)
            if let size = check.size, size > DiskEnd.sizeMax {
                check.problems.append("source: has \(size) bytes, \(DiskEnd.sizeMax) are the most of a disk")
            }
            look(atTarget: &check)
            if let changes { look(atChanges: changes[index], &check) }
            if let target = disk.target { check.problems += collisions(target, machine.name, index) }
            return check
        }
    }

    private func look(atSource check: inout DiskCheck, hasSnapshot: Bool) {
        switch check.source {
        case .uri(let uri):
            do throws(NBDError) {
                check.size = try export(uri).size
            } catch {
                note(&check, "source: \(error)", isProblem: !hasSnapshot)
            }
        case .path(let path):
            let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            guard number >= 0 else {
                return note(&check, "source: \(systemErrorText(errno))", isProblem: !hasSnapshot)
            }
            do throws(CopyError) {
                check.size = try OpenFile(Descriptor(number), path: path, diskIndex: check.index).size
            } catch {
                check.problems.append("source: \(error.reason)")
            }
        }
    }

    /// Before its snapshot is made, a source may well be missing.
    private func note(_ check: inout DiskCheck, _ words: String, isProblem: Bool) {
        if isProblem {
            check.problems.append(words)
        } else {
            check.notes.append("\(words) (before the snapshot)")
        }
    }

    private func look(atTarget check: inout DiskCheck) {
        switch check.target {
        case nil:
            check.notes.append("the target comes with --nbd-targets")
        case .uri(let uri):
            do throws(NBDError) {
                let export = try export(uri)
                if export.isReadOnly { check.problems.append("target: is read-only") }
                compare(&check, capacity: export.size)
            } catch {
                check.problems.append("target: \(error)")
            }
        case .path(let path):
            let number = unsafe open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK)
            guard number >= 0 else {
                guard errno == ENOENT else {
                    return check.problems.append("target: \(systemErrorText(errno))")
                }
                return look(atFolderOf: path, &check)
            }
            do throws(CopyError) {
                let file = try OpenFile(Descriptor(number), path: path, diskIndex: check.index)
                if file.isDevice { compare(&check, capacity: file.size) }
            } catch {
                check.problems.append("target: \(error.reason)")
            }
        }
    }

    private func look(atFolderOf path: String, _ check: inout DiskCheck) {
        let end = path.lastIndex(of: "/")
        let folder = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard unsafe access(folder, W_OK | X_OK) == 0 else {
            return check.problems.append("target: folder \(folder): \(systemErrorText(errno))")
        }
        var room = statvfs()
        guard unsafe statvfs(folder, &room) == 0 else { return }
        let (bytes, isTooLarge) = UInt64(room.f_bavail).multipliedReportingOverflow(by: UInt64(room.f_frsize))
        let free = isTooLarge ? Int64.max : Int64(clamping: bytes)
        if let size = check.size, size > free {
            // Holes take no room, so that it may fit all the same.
            check.notes.append("\(Units.size(free)) free at the target")
        }
    }

    private func compare(_ check: inout DiskCheck, capacity: Int64) {
        guard let size = check.size, capacity < size else { return }
        check.problems.append("target: has only \(Units.size(capacity))")
    }

    /// Two disks must not be written to one place, nor one onto a source.
    private func collisions(_ target: Endpoint, _ name: String, _ index: Int) -> [String] {
        let read = sources[target, default: []].map {
            "target: is the source of \($0.machine) disk \($0.index)"
        }
        let written = targets[target, default: []].filter { ($0.machine, $0.index) != (name, index) }
        return read + written.map { "target: is also that of \($0.machine) disk \($0.index)" }
    }

    private func hookProblems(_ hooks: SnapshotHooks) -> [String] {
        [("snapshot-command", hooks.snapshot), ("release-command", hooks.release)]
            .compactMap { name, command in
                switch command {
                case nil: nil
                case .shell(let text): shellProblem(text).map { "\(name): \($0)" }
                case .program(let arguments): programProblem(arguments[0]).map { "\(name): \($0)" }
                }
            }
    }

    /// The shell reads the text without running it.
    private func shellProblem(_ text: String) -> String? {
        var last: String?
        let outcome = HookProcess(
            command: .program(["/bin/sh", "-n", "-c", text]),
            environment: [:],
            timeoutMilliseconds: Self.shellMilliseconds
        ).run(isStopped: { false }) { last = $0 }
        return outcome == .exited(0) ? nil : last ?? "/bin/sh does not read it"
    }

    private func programProblem(_ name: String) -> String? {
        if name.contains("/") {
            return unsafe access(name, X_OK) == 0 ? nil : "\(name): \(systemErrorText(errno))"
        }
        let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
        let isThere = path.split(separator: ":").contains { unsafe access("\($0)/\(name)", X_OK) == 0 }
        return isThere ? nil : "\(name): is nowhere in PATH"
    }

    func export(
        _ uri: String,
        contexts: [String] = [NBDContext.allocation]
    ) throws(NBDError) -> NBDExport {
        try NBDConnection(
            uri: uri,
            contexts: contexts,
            timeoutMilliseconds: Self.connectMilliseconds,
            isStopped: { false }
        ).export
    }
}
