import Glibc

/// A socket that connections come to.
///
/// `@safe`: pointers live only as long as the call that takes them.
@safe final class Listener: Sendable {
    /// Nobody can listen there.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// What came.
    enum Arrival {
        case connection(DoorSocket)
        /// None waits, or the one that did is gone.
        case none
        /// The process or the machine has too many open files.
        case noRoom
    }

    private static let backlog: Int32 = 1024

    let descriptor: Int32
    /// The port as bound, where 0 was asked for.
    let port: Int

    /// Listens at the first address of the host where that can be done.
    init(host: String, port: Int) throws(Failure) {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard code == 0, let first = unsafe list else {
            throw Failure(description: unsafe String(cString: gai_strerror(code)))
        }
        defer { unsafe freeaddrinfo(first) }
        var why = "there is no such address"
        var next = unsafe list
        while let address = unsafe next {
            let descriptor = unsafe Self.listening(address.pointee)
            if descriptor >= 0 {
                self.descriptor = descriptor
                self.port = Self.port(of: descriptor) ?? port
                return
            }
            why = unsafe String(cString: strerror(errno))
            unsafe next = address.pointee.ai_next
        }
        throw Failure(description: why)
    }

    deinit { close(descriptor) }

    /// Takes one connection.
    func take() -> Arrival {
        let connection = accept(descriptor, nil, nil)
        guard connection < 0 else {
            // No call on it blocks by its own flags; only who takes it over needs them.
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            return .connection(DoorSocket(descriptor: connection))
        }
        switch errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .noRoom
        default: return .none
        }
    }

    /// -1: it failed, as `errno` says.
    private static func listening(_ address: addrinfo) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = unsafe socket(address.ai_family, type, 0)
        guard descriptor >= 0 else { return -1 }
        set(descriptor, SOL_SOCKET, SO_REUSEADDR)
        // Connections have it from here.
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
        let isBound = unsafe bind(descriptor, address.ai_addr, address.ai_addrlen) == 0
        guard isBound, listen(descriptor, backlog) == 0 else {
            let number = errno
            close(descriptor)
            errno = number
            return -1
        }
        return descriptor
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
        var on: Int32 = 1
        unsafe setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func port(of descriptor: Int32) -> Int? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &storage) { storage in
            let address = UnsafeMutableRawPointer(storage)
            guard unsafe getsockname(descriptor, address.assumingMemoryBound(to: sockaddr.self), &length) == 0
            else { return nil }
            // IPv4 and IPv6 have the port at the same place.
            return Int(UInt16(bigEndian: unsafe address.load(fromByteOffset: 2, as: UInt16.self)))
        }
    }
}
