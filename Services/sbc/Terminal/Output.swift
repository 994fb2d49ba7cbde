internal import Glibc
internal import Logs
internal import Threading

/// Writes to the standard streams. What they do not take is lost: a closed terminal is no reason to stop a backup, and
/// nor is one that was stopped, or a pipe that nobody empties.
enum Output {
    /// How long the end waits for what was said to be read.
    static let lastWordsMilliseconds = 5000

    private static let standardOutput = StreamWriter(fileDescriptor: STDOUT_FILENO)
    /// The log may go there, too: one queue keeps the order.
    private static var standardError: StreamWriter { LogSink.standardError.stream }

    /// Says something on standard output, and waits for no reader.
    static func write(_ text: String) { write(Array(text.utf8)) }

    /// As above.
    static func write(_ bytes: [UInt8]) { standardOutput.write(bytes) }

    /// The bytes that nobody has read yet of standard output.
    static var waitingByteCount: Int { standardOutput.waitingByteCount }

    /// A line for people on standard error.
    static func complain(_ text: String) { complain(raw: "sendense-backup-client: \(escaped(text))\n") }

    /// A text for people on standard error, as it is.
    static func complain(raw text: String) { standardError.write(Array(text.utf8)) }

    /// Says something on standard output to a reader who may take as long as it likes, like `less`.
    static func print(_ text: String) { print(Array(text.utf8)) }

    /// As above.
    static func print(_ bytes: [UInt8]) {
        let step = StreamWriter.byteCountMax / 2
        for start in stride(from: 0, to: bytes.count, by: step) {
            standardOutput.write(Array(bytes[start..<min(start + step, bytes.count)]))
            standardOutput.settle(milliseconds: Int(Int32.max))
        }
    }

    /// Waits until standard output has been read, as far as somebody does.
    static func settleOutput() {
        standardOutput.settle(milliseconds: lastWordsMilliseconds)
    }

    /// Waits for all that was said, the same time at most.
    static func settle(log: LogSink? = nil) {
        let deadline = MonotonicClock.nowMilliseconds + Int64(lastWordsMilliseconds)
        for stream in [standardOutput, standardError, log?.stream] {
            stream?.settle(milliseconds: Int(max(0, deadline - MonotonicClock.nowMilliseconds)))
        }
    }

    /// A text without control characters, which could move a terminal's cursor or worse: a hook's output and a
    /// server's words may have any. They are written like `\u{1B}`.
    static func escaped(_ text: String) -> String {
        var clean = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar.properties.generalCategory == .control {
                clean.append(
                    contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars
                )
            } else {
                clean.append(scalar)
            }
        }
        return String(clean)
    }
}
