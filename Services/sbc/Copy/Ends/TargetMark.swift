internal import FoundationEssentials
internal import Glibc

/// The mark of a target that a full copy began to change and did not complete: a file in the state folder, there until
/// a full copy succeeds. An incremental copy would leave old what the full one had not reached.
///
/// An incremental copy makes no mark: the next one goes by what changed since the last that completed, and so writes
/// again what it left half done.
struct TargetMark: Sendable {
    let path: String
    /// The file's inode: a file that was put in its place is another. 0: it is no file.
    private let inode: UInt64

    /// The mark of a target, whether there is one or not.
    init(_ target: Endpoint, directory: String) {
        let name: String
        var inode: UInt64 = 0
        switch target {
        case .uri(let uri): name = EndIdentity.canonicalName(uri: uri)
        case .path(let path):
            name = EndIdentity.realPath(path)
            var status = stat()
            if unsafe stat(path, &status) == 0 { inode = FileIdentity(status).inode ?? 0 }
        }
        self.inode = inode
        path = "\(directory)/targets/\(StateFiles.name(jobID: name, byteCountMax: 200)).incomplete"
    }

    /// The job that left the target incomplete. nil if it is not marked.
    var jobID: String? {
        guard let content = try? Data(contentsOf: URL(filePath: path)) else { return nil }
        let words = String(decoding: content, as: UTF8.self).split(separator: " ", maxSplits: 1)
        // A mark that cannot be read is one all the same.
        guard words.count == 2 else { return "?" }
        return UInt64(words[0]) == inode ? String(words[1].prefix { $0 != "\n" }) : nil
    }

    /// Why an incremental copy may not go there. nil if it may.
    func refusal(of target: String) -> String? {
        jobID.map { jobID in
            "the target \(target) was left incomplete by job \(jobID), which an incremental backup does not mend; "
                + "make a full one, or remove \(path) if the target was made good otherwise"
        }
    }

    /// Makes the mark durable.
    ///
    /// - Throws: `StateError` with the errno.
    func set(jobID: String) throws(StateError) {
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
        try StateFiles.makeDirectory(folder)
        try StateFiles.replace(path, with: Array("\(inode) \(jobID)\n".utf8))
    }

    /// Takes it away, if it is there.
    ///
    /// - Throws: `StateError` with the errno.
    func clear() throws(StateError) {
        guard unsafe access(path, F_OK) == 0 else { return }
        try StateFiles.remove(path)
    }
}
