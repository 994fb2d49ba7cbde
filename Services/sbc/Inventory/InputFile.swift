internal import Glibc

/// Reads a file that an operator named. It may be a pipe, as a shell's `<(command)` is.
enum InputFile {
    /// The most bytes that are read.
    static let byteCountMax = 1 << 30
    private static let stepByteCount = 64 << 10

    /// Why a file is not what it should be.
    struct Fault: Error, Equatable, CustomStringConvertible {
        /// The errno, where the system refused.
        var errorNumber: Int32?
        var description: String
    }

    /// All of a file.
    ///
    /// - Throws: `Fault` with the system's words.
    static func bytes(_ path: String) throws(Fault) -> [UInt8] {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw fault(errno) }
        let descriptor = Descriptor(number)
        var bytes: [UInt8] = []
        var step = [UInt8](repeating: 0, count: stepByteCount)
        while true {
            let count = unsafe read(descriptor.number, &step, step.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw fault(errno) }
            guard count > 0 else { return bytes }
            guard bytes.count + count <= byteCountMax else { throw fault(EFBIG) }
            bytes += step[..<count]
        }
    }

    /// Whether it is a file that can be read again.
    static func isRegular(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// All of a text file.
    ///
    /// - Throws: `Fault` with the system's words, or what the file is instead.
    static func text(_ path: String) throws(Fault) -> String {
        let bytes = try bytes(path)
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw Fault(description: "it is UTF-16, and must be UTF-8")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Fault(description: "it is not UTF-8 text")
        }
        let isAllowed: (UInt8) -> Bool = { $0 >= 0x20 || [0x09, 0x0A, 0x0D].contains($0) }
        if let place = bytes.firstIndex(where: { !isAllowed($0) }) {
            let line = bytes[..<place].count { $0 == 0x0A } + 1
            let name = String(bytes[place], radix: 16)
            throw Fault(description: "it is no text: line \(line) has the control character 0x\(name)")
        }
        return text
    }

    private static func fault(_ number: Int32) -> Fault {
        Fault(errorNumber: number, description: systemErrorText(number))
    }
}
