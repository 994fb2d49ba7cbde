import Foundation
import Glibc
import Synchronization
import Threading

/// A small HTTP server on loopback whose answers are an argument: real sockets, real resets, real delays.
final class ScriptedHub: Sendable {
    struct Request: Sendable {
        var path: String
        /// The header lines.
        var headers: [String]
        var body: String
        var atMilliseconds: Int64
        /// Which connection it came over, from 0.
        var connection: Int

        var members: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]) ?? [:]
        }
        var kind: String {
            if path.hasSuffix("/complete") { return "complete" }
            return path.hasSuffix("/backups") ? "register" : "telemetry"
        }
        var seq: Int { members["seq"] as? Int ?? -1 }
        var attempt: Int { members["attempt"] as? Int ?? -1 }
        var status: String { members["status"] as? String ?? "" }
        var phase: String { members["current_phase"] as? String ?? "" }
    }

    struct Reply: Sendable {
        var status = 200
        var headers: [String] = []
        var body = #"{"status":"success","attempt":1,"stored_seq":0}"#
        var delayMilliseconds = 0
        /// Closes the connection with a reset instead of answering.
        var isReset = false

        static let ok = Reply()
        static let reset = Reply(isReset: true)

        init(
            _ status: Int = 200,
            _ body: String = #"{"status":"success","attempt":1,"stored_seq":0}"#,
            headers: [String] = [],
            delayMilliseconds: Int = 0,
            isReset: Bool = false
        ) {
            self.status = status
            self.body = body
            self.headers = headers
            self.delayMilliseconds = delayMilliseconds
            self.isReset = isReset
        }
    }

    let port: UInt16
    private let listener: Int32
    private let reply: @Sendable (Request, Int) -> Reply
    private let recorded = Mutex<[Request]>([])
    private let isStopping = Atomic<Bool>(false)

    /// Starts to listen.
    ///
    /// - Parameter reply: the answer to the request of this number, from 0. Called on the connection's
    ///   thread.
    init(_ reply: @escaping @Sendable (Request, Int) -> Reply = { _, _ in .ok }) {
        self.reply = reply
        let socketNumber = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                precondition(unsafe bind(socketNumber, generic, length) == 0)
                precondition(listen(socketNumber, 64) == 0)
                _ = unsafe getsockname(socketNumber, generic, &length)
            }
        }
        listener = socketNumber
        port = UInt16(bigEndian: address.sin_port)
        _ = DedicatedThread(name: "hub") { [self] in accept() }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    var requests: [Request] { recorded.withLock { $0 } }

    func requests(_ kind: String) -> [Request] { requests.filter { $0.kind == kind } }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func accept() {
        var number = 0
        while !isStopping.load(ordering: .acquiring) {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { break }
            let own = number
            number += 1
            _ = DedicatedThread(name: "hub-conn") { [self] in serve(connection, own) }
        }
        close(listener)
    }

    private func serve(_ connection: Int32, _ number: Int) {
        var noDelay: Int32 = 1
        unsafe setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, 4)
        defer { close(connection) }
        var buffer: [UInt8] = []
        while let request = read(connection, &buffer, number) {
            let index = recorded.withLock { recorded in
                recorded.append(request)
                return recorded.count - 1
            }
            let reply = reply(request, index)
            if reply.delayMilliseconds > 0 { usleep(UInt32(reply.delayMilliseconds) * 1000) }
            if reply.isReset {
                var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
                unsafe setsockopt(
                    connection,
                    SOL_SOCKET,
                    SO_LINGER,
                    &linger,
                    socklen_t(MemoryLayout<linger>.size)
                )
                return
            }
            var head = "HTTP/1.1 \(reply.status) x\r\nContent-Length: \(reply.body.utf8.count)\r\n"
            for header in reply.headers { head += header + "\r\n" }
            let bytes = Array((head + "\r\n" + reply.body).utf8)
            guard unsafe send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
                return
            }
        }
    }

    private func read(_ connection: Int32, _ buffer: inout [UInt8], _ number: Int) -> Request? {
        while true {
            if let request = parse(&buffer, number) { return request }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = unsafe recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }

    private func parse(_ buffer: inout [UInt8], _ number: Int) -> Request? {
        guard let end = buffer.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: buffer[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let length =
            lines.first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
        guard buffer.count >= end.upperBound + length else { return nil }
        let body = String(decoding: buffer[end.upperBound..<(end.upperBound + length)], as: UTF8.self)
        buffer.removeFirst(end.upperBound + length)
        return Request(
            path: lines[0].components(separatedBy: " ")[1],
            headers: Array(lines.dropFirst()),
            body: body,
            atMilliseconds: MonotonicClock.nowMilliseconds,
            connection: number
        )
    }
}
