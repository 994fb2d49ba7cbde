internal import FoundationEssentials
internal import Glibc

/// Why the state could not be kept.
struct StateError: Error, Equatable, CustomStringConvertible {
    var operation: String
    var path: String
    var errorNumber: Int32

    /// What failed, the path and the errno with its text.
    var description: String {
        "cannot \(operation) \(path): \(systemErrorText(errorNumber)) (errno \(errorNumber))"
    }
}

/// The state directory's files: private to their owner, and whole at any time, also after a crash.
enum StateFiles {
    /// The most bytes of a file that is read.
    static let byteCountMax = 64 << 20

    /// Makes a directory, and those above it.
    ///
    /// - Throws: `StateError` with the errno.
    static func makeDirectory(_ path: String) throws(StateError) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += made.isEmpty || made.hasSuffix("/") ? part : "/\(part)"
            guard unsafe mkdir(made, 0o700) == 0 || errno == EEXIST else { throw fault("create", made) }
        }
    }

    /// Replaces a file: a reader sees the old one or the new one, whole.
    ///
    /// - Returns: the new file, open and locked (flock) from before it had its name.
    /// - Throws: `StateError` with the errno.
    @discardableResult
    static func replace(_ path: String, with bytes: [UInt8]) throws(StateError) -> Descriptor {
        let temporary = path + ".new"
        let descriptor = try openEmpty(temporary)
        let number = descriptor.number
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { memory in
                unsafe write(number, memory.baseAddress?.advanced(by: offset), memory.count - offset)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw fault("write", temporary) }
            offset += count
        }
        guard fsync(number) == 0 else { throw fault("write", temporary) }
        guard unsafe rename(temporary, path) == 0 else { throw fault("rename to", path) }
        try syncDirectory(of: path)
        return descriptor
    }

    /// Makes a file, or empties what a crash left: only once it is locked, since another process may be writing it.
    private static func openEmpty(_ path: String) throws(StateError) -> Descriptor {
        while true {
            let number = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard number >= 0 else { throw fault("create", path) }
            let descriptor = Descriptor(number)
            guard flock(number, LOCK_EX | LOCK_NB) == 0 else { throw fault("lock", path) }
            var opened = stat()
            var named = stat()
            guard unsafe fstat(number, &opened) == 0 else { throw fault("look at", path) }
            // Between open and lock it may have been given its lasting name: then it is whole, and not ours to cut.
            guard unsafe stat(path, &named) == 0, opened.st_ino == named.st_ino, opened.st_dev == named.st_dev
            else { continue }
            guard ftruncate(number, 0) == 0 else { throw fault("write", path) }
            return descriptor
        }
    }

    /// Removes a file, for good also after a crash. One that is not there is no error.
    ///
    /// - Throws: `StateError` with the errno.
    static func remove(_ path: String) throws(StateError) {
        guard unsafe unlink(path) == 0 || errno == ENOENT else { throw fault("remove", path) }
        try syncDirectory(of: path)
    }

    /// The bytes of an open file. nil where they cannot be read, or are too many.
    static func content(_ descriptor: Descriptor) -> Data? {
        let size = lseek(descriptor.number, 0, SEEK_END)
        guard size >= 0, size <= byteCountMax, lseek(descriptor.number, 0, SEEK_SET) == 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeMutableBytes { memory in
                unsafe read(
                    descriptor.number,
                    memory.baseAddress?.advanced(by: offset),
                    memory.count - offset
                )
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            offset += count
        }
        return Data(bytes)
    }

    /// A file's name made of a job's id. An id may be longer, encoded, than a name may be: then its end is a
    /// hash of it.
    static func name(jobID: String, byteCountMax: Int) -> String {
        let encoded = MessageWriter.percentEncoded(jobID)
        // A name of dots alone is a directory, and one that begins with a dot is hidden.
        let name = encoded.hasPrefix(".") ? "%2E" + encoded.dropFirst() : encoded
        guard name.utf8.count > byteCountMax else { return name }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in jobID.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return "\(name.prefix(byteCountMax - 20))-\(String(hash, radix: 16))"
    }

    /// The error of the system call that has just failed.
    static func fault(_ operation: String, _ path: String) -> StateError {
        StateError(operation: operation, path: path, errorNumber: errno)
    }

    private static func syncDirectory(of path: String) throws(StateError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let number = unsafe open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw fault("open", folder) }
        let descriptor = Descriptor(number)
        guard fsync(descriptor.number) == 0 else { throw fault("write", folder) }
    }
}
