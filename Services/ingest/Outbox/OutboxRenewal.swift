import Foundation
import GRDB
import Threading

/// Puts a new file into the place of a damaged one. Whenever it is cut short, all that can be saved is still on the
/// disk: in the damaged file until the new one is complete, and in the new one from then on.
struct OutboxRenewal {
    /// How every SQLite file of ours begins: its name, pages of 4096 bytes, a write-ahead log.
    private static let header: [UInt8] =
        Array("SQLite format 3\0".utf8) + [0x10, 0x00, 2, 2, 0, 64, 32, 32]
    private static let suffixes = ["", "-wal", "-shm", "-journal"]

    /// Where the outbox's file is.
    let path: String

    /// A copy of the damaged file, to read from.
    private var salvage: String { path + ".salvage" }
    /// The new file while it is filled.
    private var filling: String { path + ".new" }
    /// The new file once it is complete.
    private var ready: String { path + ".renewed" }

    /// Ends a renewal that was cut short after the new file was complete. Whether there was one.
    func finish() throws -> Bool {
        guard exists(ready) else { return false }
        _ = try swap()
        return true
    }

    /// Removes what a renewal that was cut short earlier has left.
    func tidy() throws {
        try remove(salvage)
        try remove(filling)
    }

    /// What can be read of the damaged file. The file stays as it is: a copy is read.
    func contents() throws -> OutboxFile.Contents {
        try remove(salvage)
        defer { try? remove(salvage) }
        for suffix in ["", "-wal"] where exists(path + suffix) {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: salvage + suffix)
        }
        if let handle = FileHandle(forUpdatingAtPath: salvage) {
            // These bytes are the same in all our files; damaged they would hide all the rest.
            try handle.write(contentsOf: Data(Self.header))
            try handle.close()
        }
        do {
            let file = try OutboxFile(salvaging: salvage)
            defer { try? file.close() }
            return try file.contents()
        } catch let error as DatabaseError where OutboxFile.isDamage(error) {
            var nothing = OutboxFile.Contents()
            nothing.isTorn = true
            return nothing
        }
    }

    /// Makes a new file with these entries and puts it into the place of the damaged one. Returns where that is now.
    func renew(with entries: [OutboxEntry], byteCountMax: Int64) throws -> String {
        try remove(filling)
        defer { try? remove(filling) }
        // What fitted before has to fit now, whatever the limit is meanwhile.
        let room = 2 * (byteCount(path) + byteCount(path + "-wal"))
        let file = try OutboxFile(path: filling, byteCountMax: max(byteCountMax, room))
        do {
            try file.write { transaction in
                for entry in entries { try transaction.restore(entry) }
            }
        } catch {
            try? file.close()
            throw error
        }
        try file.close()
        guard !exists(filling + "-wal") else {
            throw DatabaseError(resultCode: .SQLITE_FULL, message: "\(filling) cannot be completed")
        }
        try FileManager.default.moveItem(atPath: filling, toPath: ready)
        try syncFolder()
        return try swap()
    }

    private func swap() throws -> String {
        let aside = "\(path).damaged-\(WallClock.nowMilliseconds)"
        for suffix in Self.suffixes where exists(path + suffix) {
            try FileManager.default.moveItem(atPath: path + suffix, toPath: aside + suffix)
        }
        try FileManager.default.moveItem(atPath: ready, toPath: path)
        try syncFolder()
        return aside
    }

    /// Makes sure that the files' names are on the disk, too.
    private func syncFolder() throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let handle = FileHandle(forReadingAtPath: folder)
        try handle?.synchronize()
        try handle?.close()
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    private func remove(_ path: String) throws {
        for suffix in Self.suffixes where exists(path + suffix) {
            try FileManager.default.removeItem(atPath: path + suffix)
        }
    }

    private func byteCount(_ path: String) -> Int64 {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
    }
}
