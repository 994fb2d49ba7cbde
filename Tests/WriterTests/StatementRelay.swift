import Database
import Glibc
import Synchronization
import TestSupport
import Threading

/// A unix socket before a server that spoils one statement on its way: the server's own error comes back.
final class StatementRelay: Sendable {
    let settings: DatabaseSettings
    private let server: String
    private let listener: Int32
    private let statement: [UInt8]
    private let folder: String
    private let isSpoiling = Atomic<Bool>(true)

    /// Listens.
    ///
    /// - Parameters:
    ///   - settings: a server with a unix socket.
    ///   - statement: what is spoilt where it is sent as text; its end becomes a text of as many bytes.
    /// - Throws: `TestSupportError` with the errno.
    init(before settings: DatabaseSettings, spoiling statement: String) throws {
        server = settings.socketPath ?? ""
        self.statement = Array(statement.utf8)
        folder = try Leftovers.newFolder()
        var own = settings
        own.socketPath = folder + "/s"
        self.settings = own
        listener = Self.socket()
        let isBound = unsafe Self.withAddress(folder + "/s") { address, length in
            unsafe bind(listener, address, length) == 0
        }
        guard isBound, listen(listener, 16) == 0 else {
            throw TestSupportError("the relay does not listen: errno \(errno)")
        }
        _ = DedicatedThread(name: "relay") { [self] in accept() }
    }

    /// From now on everything passes as it is.
    func heal() { isSpoiling.store(false, ordering: .releasing) }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        Leftovers.remove(folder: folder)
    }

    private func accept() {
        while true {
            let near = Glibc.accept(listener, nil, nil)
            guard near >= 0 else { break }
            let far = Self.socket()
            guard unsafe Self.withAddress(server, { unsafe connect(far, $0, $1) == 0 }) else { break }
            let wayBack = DedicatedThread(name: "relay-back") { [self] in relay(far, near, isWayBack: true) }
            _ = DedicatedThread(name: "relay-on") { [self] in
                relay(near, far, isWayBack: false)
                wayBack.join()
                close(near)
                close(far)
            }
        }
        close(listener)
    }

    private func relay(_ source: Int32, _ target: Int32, isWayBack: Bool) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            if !isWayBack, isSpoiling.load(ordering: .acquiring),
                let range = buffer[..<count].firstRange(of: statement)
            {
                buffer.replaceSubrange(range.suffix(7), with: Array("'spoil'".utf8))
            }
            guard unsafe send(target, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(target, Int32(SHUT_RDWR))
    }

    private static func socket() -> Int32 {
        Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }

    private static func withAddress(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Bool
    ) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
