import Foundation
import Glibc
import Synchronization

/// An NBD server of a test's own: nbdkit or qemu-nbd, on a unix socket or a port of this machine. It ends with
/// `stop()`, with its last reference, and at the latest with the test process.
public final class NBDServer: Sendable {
    /// Where it listens.
    public enum Door: Sendable {
        case unixSocket
        /// TCP on the loopback address.
        case port
    }

    private static let startMillisecondsMax = 20_000
    private static let endMillisecondsMax = 1000

    /// The export's URI.
    public let uri: String
    private let folder: String
    private let arguments: [String]
    private let socket: String?
    private let port: UInt16
    private let pid = Mutex<pid_t?>(nil)

    private var logPath: String { folder + "/log" }

    /// Starts nbdkit and waits until it takes connections. The arguments are a plugin's and its filters'.
    ///
    /// - Throws: `TestSupportError` with the end of its log.
    public static func nbdkit(_ arguments: [String], door: Door = .unixSocket) throws -> NBDServer {
        try NBDServer(door: door, exportName: "") { socket, port in
            let place = socket.map { ["-U", $0] } ?? ["-i", "127.0.0.1", "-p", "\(port)"]
            return ["nbdkit", "-f"] + place + arguments
        }
    }

    /// Starts qemu-nbd on an image and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - image: the image's path.
    ///   - format: raw or qcow2.
    ///   - clientCountMax: how many may connect at once; with more than one it lets them share the export.
    ///   - options: more of its options.
    ///   - door: where it listens.
    /// - Returns: the server, ready.
    /// - Throws: `TestSupportError` with the end of its log.
    public static func qemu(
        _ image: String,
        format: String,
        clientCountMax: Int = 8,
        options: [String] = [],
        door: Door = .unixSocket
    ) throws -> NBDServer {
        try NBDServer(door: door, exportName: "vm-disk0") { socket, port in
            let place = socket.map { ["-k", $0] } ?? ["-b", "127.0.0.1", "-p", "\(port)"]
            // Without -t it would end with its first client.
            return ["qemu-nbd", "-t", "-e", "\(clientCountMax)", "-x", "vm-disk0", "-f", format] + place
                + options + [image]
        }
    }

    private init(door: Door, exportName: String, _ command: (String?, UInt16) -> [String]) throws {
        folder = try Leftovers.newFolder()
        switch door {
        case .unixSocket:
            let path = folder + "/s"
            socket = path
            port = 0
            uri = "nbd+unix:///\(exportName)?socket=\(path)"
        case .port:
            socket = nil
            port = try Self.freePort()
            uri = "nbd://127.0.0.1:\(port)/\(exportName)"
        }
        arguments = command(socket, port)
        try start()
    }

    deinit {
        if let running = pid.withLock({ $0.take() }) {
            // nbdkit's plugins have files in /tmp, which they remove at a regular end only.
            Glibc.kill(running, SIGTERM)
            var milliseconds = 0
            while waitpid(running, nil, WNOHANG) == 0 {
                if milliseconds == Self.endMillisecondsMax { Glibc.kill(running, SIGKILL) }
                usleep(10_000)
                milliseconds += 10
            }
            Leftovers.remove(pid: running)
        }
        Leftovers.remove(folder: folder)
    }

    /// Starts it again, after it was stopped or killed, at the same place.
    ///
    /// - Throws: `TestSupportError` with the end of its log.
    public func start() throws {
        if let socket { unsafe unlink(socket) }
        let started = try Launcher.start(arguments, logPath: logPath)
        Leftovers.add(pid: started)
        pid.withLock { $0 = started }
        for _ in 0..<(Self.startMillisecondsMax / 10) {
            if takesConnections { return }
            guard waitpid(started, nil, WNOHANG) == 0 else {
                pid.withLock { $0 = nil }
                Leftovers.remove(pid: started)
                break
            }
            usleep(10_000)
        }
        throw TestSupportError("\(arguments[0]) does not listen: \(Launcher.logTail(logPath))")
    }

    /// Ends it as an operator would, and waits for that.
    public func stop() { kill(SIGTERM) }

    /// Ends it with a signal, and waits for that.
    public func kill(_ signal: Int32) {
        guard let running = pid.withLock({ $0.take() }) else { return }
        Glibc.kill(running, signal)
        while waitpid(running, nil, 0) == -1, errno == EINTR {}
        Leftovers.remove(pid: running)
    }

    /// What it wrote.
    public var log: String { Launcher.logTail(logPath) }

    private var takesConnections: Bool {
        let isUnix = socket != nil
        let end = Glibc.socket(isUnix ? AF_UNIX : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(end) }
        guard let socket else {
            return unsafe Self.withAddress(port: port) { unsafe connect(end, $0, $1) == 0 }
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: socket.utf8) }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(end, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    private static func freePort() throws -> UInt16 {
        let end = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(end) }
        var bound = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withAddress(port: 0) { unsafe bind(end, $0, $1) == 0 }
        let isKnown = unsafe withUnsafeMutablePointer(to: &bound) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(end, $0, &length) == 0
            }
        }
        guard isBound, isKnown else { throw TestSupportError("no port is free") }
        return UInt16(bigEndian: bound.sin_port)
    }

    private static func withAddress(
        port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Bool
    ) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Runs qemu-img to its end.
///
/// - Throws: `TestSupportError` with what it wrote.
public func qemuImage(_ arguments: [String]) throws {
    let folder = try Leftovers.newFolder()
    defer { Leftovers.remove(folder: folder) }
    try Launcher.run(["qemu-img"] + arguments, logPath: folder + "/log")
}
