internal import Glibc

/// Where log lines go: a file descriptor.
///
/// Each line is one `write(2)`, so that lines of several threads, or of several processes that append to one
/// file, do not mix.
public final class LogSink: Sendable {
    /// Standard error. The process owns it; it is never closed here.
    public static let standardError = LogSink(fileDescriptor: STDERR_FILENO, isOwned: false)

    private let fileDescriptor: Int32
    private let isOwned: Bool

    /// Writes to a descriptor that stays the caller's: it must stay open as long as this sink is used.
    public convenience init(fileDescriptor: Int32) {
        self.init(fileDescriptor: fileDescriptor, isOwned: false)
    }

    /// Opens a file to append to, and creates it (mode 0640) where there is none.
    ///
    /// - Throws: `LogFileError` with the errno of `open(2)`.
    public convenience init(path: String) throws(LogFileError) {
        let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw LogFileError(path: path, errorNumber: errno) }
        self.init(fileDescriptor: descriptor, isOwned: true)
    }

    private init(fileDescriptor: Int32, isOwned: Bool) {
        self.fileDescriptor = fileDescriptor
        self.isOwned = isOwned
    }

    deinit {
        if isOwned { close(fileDescriptor) }
    }

    /// Writes a line's bytes, its newline included.
    ///
    /// A log has nobody to complain to: what the descriptor does not take is lost, but for the rest of a line
    /// that was taken in part.
    func write(_ line: [UInt8]) {
        var offset = 0
        while offset < line.count {
            let count = unsafe line.withUnsafeBytes { bytes in
                unsafe Glibc.write(
                    fileDescriptor,
                    bytes.baseAddress?.advanced(by: offset),
                    bytes.count - offset
                )
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            offset += count
        }
    }
}

/// A log file that could not be opened.
public struct LogFileError: Error, CustomStringConvertible {
    /// The file.
    public var path: String
    /// The errno of `open(2)`.
    public var errorNumber: Int32

    /// What failed, the number and its text.
    public var description: String {
        let text = unsafe String(cString: strerror(errorNumber))
        return "cannot open the log file \(path): \(text) (errno \(errorNumber))"
    }
}
