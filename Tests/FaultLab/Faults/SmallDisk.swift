import Foundation
import Glibc
import StackSupport
import TestSupport

/// A file system of a few mebibytes in memory, which can be filled.
final class SmallDisk: Sendable {
    let folder: String
    private var filler: String { "\(folder)/filler" }

    init(mebibytes: Int) throws {
        folder = try Leftovers.newFolder()
        try Launcher.run(
            ["mount", "-t", "tmpfs", "-o", "size=\(mebibytes)m", "none", folder],
            logPath: "/dev/null"
        )
    }

    /// Takes the room that is left, but for so much.
    func fill(leavingKibibytes left: Int) throws {
        let file = unsafe open(filler, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard file >= 0 else { throw EndToEndError("\(filler): errno \(errno)") }
        defer { close(file) }
        var status = statvfs()
        guard unsafe fstatvfs(file, &status) == 0 else { throw EndToEndError("fstatvfs: errno \(errno)") }
        var rest = Int(status.f_bavail) * Int(status.f_bsize) - left * 1024
        let block = [UInt8](repeating: 0, count: 64 * 1024)
        while rest > 0 {
            let count = unsafe write(file, block, min(rest, block.count))
            guard count > 0 else { return }
            rest -= count
        }
    }

    /// Gives the room back.
    func free() throws { try FileManager.default.removeItem(atPath: filler) }

    /// Takes the file system away, also from what still uses it.
    func remove() {
        try? Launcher.run(["umount", "--lazy", folder], logPath: "/dev/null")
        Leftovers.remove(folder: folder)
    }
}
