internal import Glibc

/// Why a disk could not be copied.
struct CopyError: Error, Equatable, CustomStringConvertible {
    /// The disk's index in the job.
    var diskIndex: Int
    /// What failed, where, and what would help.
    var reason: String
    /// The errno, where a system call failed. nil where it was our own check.
    var errorNumber: Int32?
    /// The server is not there, and may come yet.
    var isServerAway = false

    /// One sentence for people: the disk, what failed, the errno with its text.
    var description: String {
        guard let errorNumber else { return "disk \(diskIndex): \(reason)" }
        return "disk \(diskIndex): \(reason): \(systemErrorText(errorNumber)) (errno \(errorNumber))"
    }
}

/// The system's words for an errno.
func systemErrorText(_ number: Int32) -> String {
    // strerror is not required to be thread-safe; strerror_r is. 256 bytes hold any of glibc's texts.
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe strerror_r(number, &buffer, buffer.count) == 0 else { return "unknown error" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
