import StackSupport
import Glibc
import Synchronization
import TestSupport

/// A hub whose answers come late or never: it stands before the real one and passes on every byte.
final class SlowHub: Sendable {
    /// The port at which it listens.
    let port: Int
    private let listener: Int32
    private let delayMilliseconds: UInt32?
    private let hubPort: Int
    private let connections = Mutex<[Int32]>([])
    private let threads = Mutex<[ThreadRun<Void>]>([])

    /// Begins to listen.
    ///
    /// - Parameters:
    ///   - hub: the real hub.
    ///   - delayMilliseconds: how late each answer is; nil: none ever comes.
    /// - Throws: `EndToEndError` with the errno.
    init(before hub: Hub, delayMilliseconds: UInt32?) throws {
        hubPort = hub.port
        self.delayMilliseconds = delayMilliseconds
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe bind(listener, address, length) == 0, listen(listener, 64) == 0 else {
                    return errno
                }
                return unsafe getsockname(listener, address, &length) == 0 ? 0 : errno
            }
        }
        port = Int(in_port_t(bigEndian: address.sin_port))
        guard code == 0 else { throw EndToEndError("cannot listen: errno \(code)") }
        start { [self] in accept() }
    }

    /// Ends it: its connections are closed.
    func stop() throws {
        shutdown(listener, Int32(SHUT_RDWR))
        for connection in connections.withLock({ $0 }) { shutdown(connection, Int32(SHUT_RDWR)) }
        for thread in threads.withLock({ $0 }) { try thread.value() }
        for connection in connections.withLock({ $0 }) { close(connection) }
        close(listener)
    }

    private func start(_ body: @escaping @Sendable () -> Void) {
        let thread = ThreadRun { body() }
        threads.withLock { $0.append(thread) }
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            connections.withLock { $0.append(client) }
            guard let delayMilliseconds else { continue }
            let server = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            connections.withLock { $0.append(server) }
            var address = Self.loopback(port: hubPort)
            let code = unsafe withUnsafePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard code == 0 else {
                shutdown(client, Int32(SHUT_RDWR))
                continue
            }
            start { Self.pass(from: client, to: server, delayMilliseconds: 0) }
            start { Self.pass(from: server, to: client, delayMilliseconds: delayMilliseconds) }
        }
    }

    /// Passes bytes on until one end closes; an answer is short enough to come in one piece.
    private static func pass(from source: Int32, to target: Int32, delayMilliseconds: UInt32) {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(source, $0.baseAddress, $0.count, 0)
            }
            guard count > 0 else { break }
            pause(milliseconds: delayMilliseconds)
            let sent = unsafe buffer.withUnsafeBytes {
                unsafe send(target, $0.baseAddress, count, Int32(MSG_NOSIGNAL))
            }
            guard sent == count else { break }
        }
        shutdown(target, Int32(SHUT_RDWR))
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return address
    }
}
