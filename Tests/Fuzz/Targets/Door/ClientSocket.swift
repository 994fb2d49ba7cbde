import Glibc

/// A pair of connected sockets: one end for the door, the other for a client that reads only when it likes.
///
/// `@safe`: pointers live only as long as the call that takes them.
@safe final class ClientSocket {
    /// The end for the door, which closes it.
    let doorEnd: Int32
    private let descriptor: Int32
    /// The client has closed its end.
    private var isClosed = false
    /// The door has closed its end.
    private(set) var hasEnded = false
    private var buffer = [UInt8](repeating: 0, count: 64 * 1024)

    init() throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let code = unsafe socketpair(AF_UNIX, type, 0, &ends)
        try Finding.unless(code == 0, "socketpair failed with errno \(errno)")
        doorEnd = ends[0]
        descriptor = ends[1]
    }

    /// Connects to a port of this machine.
    init(port: Int) throws {
        doorEnd = -1
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, length)
            }
        }
        try Finding.unless(code == 0, "connect failed with errno \(errno)")
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    deinit { end() }

    /// Ends the direction to the door.
    func sendNoMore() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Sends as much as there is room for.
    ///
    /// - Returns: how many bytes; all where nobody takes them any more.
    func send(_ bytes: ArraySlice<UInt8>) -> Int {
        let count = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count < 0 else { return count }
        return errno == EAGAIN ? 0 : bytes.count
    }

    /// What has arrived.
    func receive() -> [UInt8] {
        var received: [UInt8] = []
        while !isClosed, !hasEnded {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
            }
            if count > 0 {
                received += buffer[..<count]
            } else if count < 0, errno == EAGAIN {
                break
            } else {
                hasEnded = true
            }
        }
        return received
    }

    func end() {
        guard !isClosed else { return }
        isClosed = true
        close(descriptor)
    }
}
