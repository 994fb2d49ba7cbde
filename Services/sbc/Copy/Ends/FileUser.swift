internal import FoundationEssentials
internal import Glibc

/// Another process that has a file or device open, as far as /proc lets us see: root sees all, others their own.
struct FileUser: Equatable, Sendable, CustomStringConvertible {
    var processID: Int32
    /// The program's name, cut to 15 bytes by the system.
    var name: String
    /// It can write there.
    var isWriting: Bool
    /// It has a socket, as every NBD server has.
    var hasSocket: Bool

    /// For a sentence.
    var description: String { "process \(processID) (\(name))" }

    /// Looks through all processes but this one.
    ///
    /// - Parameter identities: what is meant.
    /// - Returns: who has any of them open.
    static func all(of identities: Set<FileIdentity>) -> [FileUser] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }
            .filter { $0 != getpid() }
            .compactMap { user($0, of: identities) }
    }

    private static func user(_ processID: Int32, of identities: Set<FileIdentity>) -> FileUser? {
        let folder = "/proc/\(processID)"
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/fd")) ?? []
        var user: FileUser?
        var hasSocket = false
        for number in numbers {
            let path = "\(folder)/fd/\(number)"
            let link = (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) ?? ""
            if link.hasPrefix("socket:") { hasSocket = true }
            guard link.hasPrefix("/"), let flags = flags(folder, number, link, identities) else { continue }
            let isWriting = flags & O_ACCMODE != O_RDONLY || user?.isWriting == true
            user = FileUser(processID: processID, name: "", isWriting: isWriting, hasSocket: false)
        }
        user?.hasSocket = hasSocket
        user?.name = text("\(folder)/comm").map { String($0.prefix { $0 != "\n" }) } ?? "?"
        return user
    }

    /// How a descriptor was opened. nil if it is of something else.
    private static func flags(
        _ folder: String,
        _ number: String,
        _ link: String,
        _ identities: Set<FileIdentity>
    ) -> Int32? {
        guard let info = text("\(folder)/fdinfo/\(number)") else { return nil }
        var members: [Substring: Substring] = [:]
        for line in info.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == ":" || $0 == "\t" || $0 == " " })
            if words.count == 2 { members[words[0]] = words[1] }
        }
        // Where the inode is told (Linux 5.14), nothing else need be asked, which on a dead server's mount would hang.
        if let inode = members["ino"].flatMap({ UInt64($0) }), !link.hasPrefix("/dev/"),
            !identities.contains(where: { $0.inode == inode })
        {
            return nil
        }
        var status = stat()
        guard unsafe stat("\(folder)/fd/\(number)", &status) == 0, identities.contains(FileIdentity(status))
        else { return nil }
        return members["flags"].flatMap { Int32($0, radix: 8) } ?? O_RDWR
    }

    private static func text(_ path: String) -> String? {
        try? String(contentsOf: URL(filePath: path), encoding: .utf8)
    }
}
