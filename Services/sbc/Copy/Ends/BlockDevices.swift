internal import CLinux
internal import FoundationEssentials
internal import Glibc

/// What block devices stand on, as sysfs tells: the disk of a partition, the devices of a mapping, the file behind a
/// loop device.
enum BlockDevices {
    /// More levels than any stack of devices has.
    private static let depthMax = 16
    /// Where loop devices are listed.
    private static let blockFolder = "/sys/block"

    /// What a file or device stands on, itself included.
    static func beneath(_ file: OpenFile) -> Set<FileIdentity> {
        var found: Set<FileIdentity> = [file.identity]
        if let number = file.identity.deviceNumber { add(beneath: number, to: &found, depth: 0) }
        return found
    }

    /// The loop device over a file, like `/dev/loop0`. nil if there is none.
    static func loop(over identity: FileIdentity) -> String? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: blockFolder)) ?? []
        return names.first { $0.hasPrefix("loop") && backingFile("\(blockFolder)/\($0)") == identity }
            .map { "/dev/\($0)" }
    }

    private static func add(beneath number: UInt64, to found: inout Set<FileIdentity>, depth: Int) {
        guard depth < depthMax else { return }
        let folder = "/sys/dev/block/\(sendense_major(number)):\(sendense_minor(number))"
        if let file = backingFile(folder) { found.insert(file) }
        var below = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/slaves")) ?? []
        below = below.map { "\(folder)/slaves/\($0)" }
        if FileManager.default.fileExists(atPath: folder + "/partition") { below.append(folder + "/..") }
        for place in below {
            guard let next = deviceNumber(place), found.insert(.device(next)).inserted else { continue }
            add(beneath: next, to: &found, depth: depth + 1)
        }
    }

    /// The file behind a loop device. nil for other devices, and where its path leads nowhere here.
    private static func backingFile(_ folder: String) -> FileIdentity? {
        var status = stat()
        guard let path = line(folder + "/loop/backing_file"), unsafe stat(path, &status) == 0
        else { return nil }
        return FileIdentity(status)
    }

    private static func deviceNumber(_ folder: String) -> UInt64? {
        let parts = line(folder + "/dev")?.split(separator: ":").compactMap { UInt32($0) } ?? []
        return parts.count == 2 ? sendense_device(parts[0], parts[1]) : nil
    }

    private static func line(_ path: String) -> String? {
        guard let text = try? String(contentsOf: URL(filePath: path), encoding: .utf8) else { return nil }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}
