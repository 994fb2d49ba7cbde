import Glibc
import Synchronization

/// Ports of this machine for services that fault lab and bench start.
///
/// Below the range from which the kernel takes the ports of outgoing connections: there a client that keeps
/// calling a service which is down may get that very port for its own end, and talks to itself.
package enum ServicePorts {
    private static let range = 20_000..<32_000
    private static let next = Mutex(range.lowerBound + Int(getpid()) % range.count)

    /// A port that is free now, another one at each call.
    ///
    /// - Throws: `EndToEndError` where none is.
    package static func take() throws -> Int {
        try next.withLock { next in
            for _ in range {
                next = next + 1 < range.upperBound ? next + 1 : range.lowerBound
                if isFree(next) { return next }
            }
            throw EndToEndError("no port from \(range.lowerBound) to \(range.upperBound - 1) is free")
        }
    }

    private static func isFree(_ port: Int) -> Bool {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        return unsafe LocalAddress.with(port) { unsafe bind(socket, $0, $1) } == 0
    }
}
