import Glibc
import StackSupport

/// One keep-alive connection of the load: a request out, its answer in.
///
/// `@safe`: pointers live only as long as the call that takes them.
@safe struct LoadSocket {
    private(set) var descriptor: Int32
    /// An answer that has come in part.
    private var partial: [UInt8] = []

    /// Connects; from then on nothing blocks.
    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw EndToEndError("socket: errno \(errno)") }
        let descriptor = descriptor
        let code = unsafe LocalAddress.with(port) { unsafe connect(descriptor, $0, $1) }
        guard code == 0 else {
            let number = errno
            close(descriptor)
            throw EndToEndError("connect to port \(port): errno \(number)")
        }
        var on: Int32 = 1
        unsafe setsockopt(
            descriptor,
            Int32(IPPROTO_TCP),
            TCP_NODELAY,
            &on,
            socklen_t(MemoryLayout<Int32>.size)
        )
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    func end() { close(descriptor) }

    /// Sends a whole request. false if the connection does not take it.
    func send(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) == $0.count
        }
    }

    /// What there was to read.
    enum Reading {
        /// An answer with that status is whole.
        case answer(Int)
        /// There is more to come.
        case incomplete
        /// The connection has ended, or what came is no answer.
        case broken
    }

    /// Reads into a buffer that all connections share.
    mutating func read(_ buffer: inout [UInt8]) -> Reading {
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
        }
        guard count > 0 else { return count < 0 && errno == EAGAIN ? .incomplete : .broken }
        guard !partial.isEmpty else {
            let answer = unsafe buffer.withUnsafeBytes { unsafe Self.parse($0, count: count) }
            if case .incomplete = answer { partial = Array(buffer[..<count]) }
            return answer
        }
        partial += buffer[..<count]
        let answer = unsafe partial.withUnsafeBytes { unsafe Self.parse($0, count: $0.count) }
        if case .incomplete = answer {} else { partial = [] }
        return answer
    }

    private static let lengthName = Array("content-length:".utf8)

    /// Reads status and length. An answer without a length has no body, which is right for 204.
    private static func parse(_ bytes: UnsafeRawBufferPointer, count: Int) -> Reading {
        guard count >= 12 else { return .incomplete }
        guard unsafe bytes[0] == UInt8(ascii: "H"), unsafe bytes[8] == UInt8(ascii: " ") else {
            return .broken
        }
        var status = 0
        for index in 9..<12 { status = status * 10 + Int(unsafe bytes[index]) - 48 }
        var length = 0
        var lineStart = 0
        var index = 12
        while index + 1 < count {
            guard unsafe bytes[index] == UInt8(ascii: "\r") else {
                index += 1
                continue
            }
            if index == lineStart {
                return index + 2 + length <= count ? .answer(status) : .incomplete
            }
            if lineStart > 0, let value = unsafe self.length(bytes, lineStart..<index) { length = value }
            lineStart = index + 2
            index += 2
        }
        return .incomplete
    }

    /// The number in a line that is the content's length; nil for any other line.
    private static func length(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) -> Int? {
        guard line.count > lengthName.count else { return nil }
        for (offset, letter) in lengthName.enumerated() {
            // Upper case differs from lower case in one bit; it does not touch ':' and '-' otherwise.
            guard unsafe bytes[line.lowerBound + offset] | 0x20 == letter | 0x20 else { return nil }
        }
        var value = 0
        for index in line.dropFirst(lengthName.count) {
            let digit = Int(unsafe bytes[index]) - 48
            if (0...9).contains(digit) { value = value * 10 + digit }
        }
        return value
    }
}
