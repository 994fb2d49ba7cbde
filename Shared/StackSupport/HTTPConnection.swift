import Foundation
import Glibc

/// What a server answered.
package struct HTTPReply: Sendable {
    package var status: Int
    /// By lower-case name.
    package var headers: [String: String]
    package var body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as a JSON object.
    package func object() throws -> [String: Any] {
        guard let object = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] else {
            throw EndToEndError("no JSON object: \(text)")
        }
        return object
    }
}

/// One TCP connection to a server, spoken to in plain bytes.
package final class HTTPConnection {
    private let socket: Int32
    private var received: [UInt8] = []

    /// Connects; one read or write may take as long as the timeout.
    ///
    /// - Throws: `EndToEndError` with the errno where nobody listens.
    package init(host: String = "127.0.0.1", port: Int, timeoutSeconds: Int = 10) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw EndToEndError("socket: errno \(errno)") }
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(socket, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        guard unsafe inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            close(socket)
            throw EndToEndError("\(host) is no IPv4 address")
        }
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket, $0, length)
            }
        }
        guard code == 0 else {
            let number = errno
            close(socket)
            throw EndToEndError("connect to \(host), port \(port): errno \(number)")
        }
    }

    deinit { close(socket) }

    /// A port of this machine that nobody listens on now.
    package static func freePort() throws -> Int {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(socket, $0, length) == 0 ? getsockname(socket, $0, &length) : -1
            }
        }
        guard code == 0 else { throw EndToEndError("no free port: errno \(errno)") }
        return Int(in_port_t(bigEndian: address.sin_port))
    }

    /// Sends bytes as they are.
    package func send(_ text: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw EndToEndError("send: errno \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends a request, and waits for its answer.
    package func request(_ method: String, _ path: String, body: String = "") throws -> HTTPReply {
        try send(
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
        return try receive()
    }

    /// The next answer.
    ///
    /// - Throws: `EndToEndError` if the connection ends, or nothing comes for the timeout.
    package func receive() throws -> HTTPReply {
        while true {
            if let reply = try takeReply() { return reply }
            guard try read() else { throw EndToEndError("the server closed the connection") }
        }
    }

    /// Whether the server closes the connection within the timeout; what it says before is thrown away.
    package func isClosedByServer() -> Bool {
        do {
            while try read() {}
            return true
        } catch {
            return false
        }
    }

    private func read() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress, $0.count, 0) }
        guard count >= 0 else {
            if errno == ECONNRESET { return false }
            throw EndToEndError("recv: errno \(errno)")
        }
        received += buffer[..<count]
        return count > 0
    }

    /// Where the empty line begins that ends the headers.
    private var endOfHead: Int? {
        let (carriageReturn, lineFeed) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
        return received.indices.dropLast(3).first { index in
            received[index] == carriageReturn && received[index + 1] == lineFeed
                && received[index + 2] == carriageReturn && received[index + 3] == lineFeed
        }
    }

    private func takeReply() throws -> HTTPReply? {
        guard let end = endOfHead else { return nil }
        let lines = String(decoding: received[..<end], as: UTF8.self).split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw EndToEndError("no status line: \(lines)")
        }
        let start = end + 4
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        guard received.count >= start + length else { return nil }
        let body = Array(received[start..<start + length])
        received.removeFirst(start + length)
        return HTTPReply(status: status, headers: headers, body: body)
    }
}
