import Foundation
import JobModel

extension ContractOracle {
    // MARK: Values that were taken

    func agrees(_ report: Report, _ members: [String: JSONTree]) -> Bool {
        func same<Value: Equatable>(_ value: Value?, _ name: String, _ read: (JSONTree) -> Value?) -> Bool {
            guard let tree = members[name], tree != .null else { return value == nil }
            return value == read(tree)
        }
        let texts = [
            "status": report.status.rawValue, "current_phase": report.phase, "job_id": report.jobID.rawValue,
        ]
        let percent = same(report.percentHundredths, "progress_percent") { tree in
            tree.whole(timesTenTo: 2).map { Int32(min($0, 10_000)) } ?? 10_000
        }
        let eta = same(report.etaSeconds, "eta_seconds") { tree in
            tree.whole().map { Int32(clamping: $0) } ?? .max
        }
        let integers = [
            ("bytes_transferred", report.bytes), ("total_bytes", report.total),
            ("transfer_speed_bps", report.speed),
            ("attempt", report.attempt), ("seq", report.seq),
        ]
        return percent && eta && agrees(report.error, members["error"] ?? .null)
            && texts.allSatisfy { members[$0.key]?.text == $0.value }
            && integers.allSatisfy { name, value in same(value, name) { $0.whole() } }
            && agrees(report.disks, members["disks"] ?? .null)
    }

    private func agrees(_ error: String?, _ tree: JSONTree) -> Bool {
        switch tree {
        case .null: error == nil
        case .string(""): error == nil
        case .string(let text): isCut(error, from: text)
        case .object(let members):
            isCut(
                error,
                from: members["message"]?.text.flatMap { $0.isEmpty ? nil : $0 } ?? "unspecified error"
            )
        case .bool, .number, .array: false
        }
    }

    /// Whether a text begins like another one, and goes on as far as there is room.
    private func isCut(_ text: String?, from whole: String) -> Bool {
        guard let text else { return false }
        let room = whole.utf8.prefix(Report.errorByteCountMax - 3)
        return text.utf8.count <= Report.errorByteCountMax && text.utf8.starts(with: room)
    }

    private func agrees(_ disks: [DiskReport], _ tree: JSONTree) -> Bool {
        guard tree != .null else { return disks.isEmpty }
        guard let entries = tree.elements, entries.count == disks.count else { return false }
        return zip(disks, entries).allSatisfy { disk, entry in
            guard let members = entry.members else { return false }
            let word = members["status"]?.text
            return members["disk_index"]?.whole() == Int64(disk.index)
                && members["bytes_transferred"]?.whole() == disk.bytes
                && members["total_bytes"]?.whole() == disk.total
                && (word == "running" ? "transferring" : word) == disk.status.rawValue
        }
    }

    func agrees(_ registration: Registration, _ members: [String: JSONTree]) -> Bool {
        members["job_id"]?.text == registration.jobID.rawValue
            && members["vm_name"]?.text == registration.vmName
            && members["backup_type"]?.text == registration.backupType.rawValue
            && sameText(registration.repositoryID, members["repository_id"])
            && (members["telemetry"] == .bool(true)) == registration.announcesTelemetry
            && same(registration.attempt, members["attempt"])
            && agrees(registration.columns, members)
            && agrees(registration.disks, members["disks"] ?? .null)
    }

    private func agrees(_ disks: [RegisteredDisk], _ tree: JSONTree) -> Bool {
        guard let entries = tree.elements, entries.count == disks.count else { return false }
        let sorted = entries.sorted {
            ($0.members?["disk_index"]?.whole() ?? -1) < ($1.members?["disk_index"]?.whole() ?? -1)
        }
        return zip(disks, sorted).allSatisfy { disk, entry in
            guard let members = entry.members else { return false }
            return members["disk_index"]?.whole() == Int64(disk.index)
                && same(disk.total, members["total_bytes"]) && agrees(disk.columns, members)
        }
    }

    private func agrees(_ columns: [String: ColumnValue], _ members: [String: JSONTree]) -> Bool {
        columns.allSatisfy { name, value in
            switch value {
            case .text(let text): members[name]?.text == text
            case .integer(let integer):
                members[name]?.whole() == integer || members[name] == .bool(integer == 1)
            }
        }
    }

    func same(_ value: Int64?, _ tree: JSONTree?, or absent: Int64? = nil) -> Bool {
        guard let tree, tree != .null else { return value == absent }
        return value == tree.whole()
    }

    func sameText(_ text: String?, _ tree: JSONTree?) -> Bool {
        guard let tree, tree != .null else { return text == nil }
        // Not ==: that holds equivalent spellings for equal.
        return text.map { Array($0.unicodeScalars) } == tree.text.map { Array($0.unicodeScalars) }
    }

    // MARK: Values that were refused

    /// Whether a member's value may be refused, where the name alone decides.
    static func mayRefuseReport(_ name: String, _ place: JSONTree.Place) -> Bool {
        guard case .value(let tree) = place else { return true }
        switch name {
        case "bytes_transferred": return !isWhole(place, 0...Int64.max)
        case "total_bytes": return tree != .null && !isWhole(place, 0...Int64.max)
        case "disk_index": return true
        case "seq": return !isWhole(place, 1...Int64.max)
        case "attempt": return !isWhole(place, 1...Int64(Int32.max))
        case "transfer_speed_bps", "eta_seconds", "progress_percent":
            guard let number = tree.number else { return tree != .null }
            return number < 0 || number >= pow(2, 63)
        case "current_phase": return !hasScalars(place, 0...Report.phaseScalarCountMax)
        case "telemetry":
            if case .bool = tree { return false }
            return tree != .null
        default: return true
        }
    }

    static func isWhole(_ place: JSONTree.Place, _ range: ClosedRange<Int64>) -> Bool {
        guard case .value(let tree) = place, let number = tree.number, let whole = tree.whole() else {
            return false
        }
        return Decimal(whole) == number && range.contains(whole)
    }

    static func hasScalars(_ place: JSONTree.Place, _ range: ClosedRange<Int>) -> Bool {
        guard case .value(let tree) = place, let text = tree.text else { return false }
        return range.contains(text.unicodeScalars.count)
    }
}
