internal import Glibc
internal import Synchronization

/// Where log lines go: a file descriptor. Whoever logs never waits for its reader.
///
/// Each line is one `write(2)`, so that lines of several threads, or of several processes that append to one
/// file, do not mix.
public final class LogSink: Sendable {
    /// Standard error. The process owns it; it is never closed here.
    public static let standardError = LogSink(stream: StreamWriter(fileDescriptor: STDERR_FILENO))

    /// What takes the lines.
    public let stream: StreamWriter
    /// Lines that the stream did not take and that nobody was told of.
    private let lostCount = Atomic<Int>(0)

    /// Writes to a descriptor that stays the caller's: it must stay open as long as the process runs.
    public convenience init(fileDescriptor: Int32) {
        self.init(stream: StreamWriter(fileDescriptor: fileDescriptor))
    }

    /// Opens a file to append to, and creates it (mode 0640) where there is none. A FIFO is opened whether or not
    /// somebody reads it.
    ///
    /// - Throws: `LogFileError` with the errno of `open(2)`.
    public convenience init(path: String) throws(LogFileError) {
        let flags = O_NONBLOCK | O_CLOEXEC | O_NOCTTY
        var descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | flags, 0o640)
        // A FIFO without a reader: fifo(7) has it opened for both, which waits for nobody.
        if descriptor < 0 && errno == ENXIO { descriptor = unsafe open(path, O_RDWR | flags) }
        guard descriptor >= 0 else { throw LogFileError(path: path, errorNumber: errno) }
        self.init(stream: StreamWriter(fileDescriptor: descriptor, isOwned: true))
    }

    private init(stream: StreamWriter) {
        self.stream = stream
    }

    /// Writes a line's bytes, its newline included.
    ///
    /// - Parameters:
    ///   - line: the line.
    ///   - lossNotice: makes the line that tells how many were lost before it, as soon as there is room for it.
    func write(_ line: [UInt8], lossNotice: (Int) -> [UInt8]) {
        var lost = lostCount.exchange(0, ordering: .relaxed)
        if lost > 0, stream.write(lossNotice(lost)) { lost = 0 }
        if lost > 0 || !stream.write(line) { lostCount.add(lost + 1, ordering: .relaxed) }
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
