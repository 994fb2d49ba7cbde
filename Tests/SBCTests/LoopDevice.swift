import Foundation
import Glibc
import TestSupport

/// A block device over a file. It goes with its last reference, and at the latest with the test process.
final class LoopDevice: Sendable {
    /// Whether there are any here: they take root and the kernel's driver, which a container may lack.
    static let isToBeHad: Bool = {
        let folder = TemporaryFolder()
        do {
            try DiskFile.make(folder("file"), size: 1 << 20)
            _ = try LoopDevice(over: folder("file"))
            return true
        } catch {
            return false
        }
    }()

    let path: String
    private let descriptor: Int32

    /// Makes a device of a file's size, which must be a multiple of 512 bytes.
    ///
    /// - Throws: `TestSupportError` with losetup's words.
    init(over file: String) throws {
        let folder = try Leftovers.newFolder()
        defer { Leftovers.remove(folder: folder) }
        try Launcher.run(["losetup", "--find", "--show", file], logPath: folder + "/log")
        path = try String(contentsOfFile: folder + "/log", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        // While it is open it stays, and is taken away with its last descriptor (losetup(8)), however this process ends.
        try Launcher.run(["losetup", "--detach", path], logPath: folder + "/log")
    }

    deinit { close(descriptor) }
}
