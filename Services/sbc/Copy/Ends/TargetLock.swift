internal import FoundationEssentials
internal import Glibc

/// Keeps other runs out of a target, as long as it lives: of an NBD export by a file in the state folder, since
/// the server would let them in.
enum TargetLock {
    /// Who writes a target.
    struct Holder: Equatable, Sendable, CustomStringConvertible {
        /// nil where the system does not tell.
        var processID: Int32?
        var jobID: String?

        /// For a sentence that ends with "another run".
        var description: String {
            let words = [jobID.map { "job \($0)" }, processID.map { "process \($0)" }].compactMap(\.self)
            return words.isEmpty ? "another run" : "another run (\(words.joined(separator: ", ")))"
        }
    }

    enum Outcome {
        case taken(Descriptor)
        case held(Holder)
    }

    /// Locks an export. The file stays when the lock goes: removed, it could be another's lock by then.
    ///
    /// - Parameters:
    ///   - uri: any spelling of the export's URI.
    ///   - directory: the state folder, which must be there.
    ///   - jobID: whose lock it is.
    /// - Returns: the lock, or who has it.
    /// - Throws: `StateError` where no lock file can be made.
    static func take(uri: String, directory: String, jobID: String) throws(StateError) -> Outcome {
        let folder = directory + "/targets"
        try StateFiles.makeDirectory(folder)
        let path =
            "\(folder)/\(StateFiles.name(jobID: EndIdentity.canonicalName(uri: uri), byteCountMax: 200)).lock"
        let number = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw StateFiles.fault("create", path) }
        let descriptor = Descriptor(number)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw StateFiles.fault("lock", path) }
            return .held(holder(in: descriptor))
        }
        // Only now that it is ours; a reader of a part of it just names nobody.
        let words = Array("\(getpid()) \(jobID)\n".utf8)
        guard ftruncate(number, 0) == 0,
            unsafe words.withUnsafeBytes({ unsafe pwrite(number, $0.baseAddress, $0.count, 0) })
                == words.count
        else { throw StateFiles.fault("write", path) }
        return .taken(descriptor)
    }

    /// The process that has a file's flock, as /proc/locks tells.
    static func holder(of file: OpenFile) -> Holder {
        var status = stat()
        guard unsafe fstat(file.descriptor.number, &status) == 0,
            let list = try? String(contentsOf: URL(filePath: "/proc/locks"), encoding: .utf8)
        else { return Holder() }
        for line in list.split(separator: "\n") {
            // Like "1: FLOCK ADVISORY WRITE 4711 08:01:1234 0 EOF".
            let words = line.split(separator: " ")
            guard words.count > 5, words[1] == "FLOCK", words[5].hasSuffix(":\(status.st_ino)"),
                let processID = Int32(words[4]), processID > 0
            else { continue }
            return Holder(processID: processID)
        }
        return Holder()
    }

    private static func holder(in descriptor: Descriptor) -> Holder {
        guard let content = StateFiles.content(descriptor) else { return Holder() }
        let words = String(decoding: content, as: UTF8.self).split(separator: " ", maxSplits: 1)
        guard words.count == 2, let processID = Int32(words[0]) else { return Holder() }
        return Holder(processID: processID, jobID: String(words[1].prefix { $0 != "\n" }))
    }
}
