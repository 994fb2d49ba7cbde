internal import Glibc

/// Writes to a standard stream. What it does not take is lost: a closed terminal is no reason to stop a
/// backup.
enum Output {
    static func write(_ text: String, to fileDescriptor: Int32 = STDOUT_FILENO) {
        write(Array(text.utf8), to: fileDescriptor)
    }

    static func write(_ bytes: [UInt8], to fileDescriptor: Int32 = STDOUT_FILENO) {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { memory in
                unsafe Glibc.write(
                    fileDescriptor,
                    memory.baseAddress?.advanced(by: offset),
                    memory.count - offset
                )
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            offset += count
        }
    }

    /// A line for people on standard error.
    static func complain(_ text: String) {
        write("sendense-backup-client: \(escaped(text))\n", to: STDERR_FILENO)
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
