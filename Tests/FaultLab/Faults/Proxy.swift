import Glibc
import StackSupport
import Synchronization
import TestSupport

/// A TCP relay between ingest and a writer that can hold bytes back.
final class Proxy: Sendable {
    enum Weather: Equatable, Sendable {
        case fair
        /// Every chunk of bytes takes so many milliseconds more, each way.
        case slow(UInt32)
        /// Connections stay open, and nothing comes out of them. What was sent comes when it is fair again,
        /// unless they were broken meanwhile: TCP loses nothing in the middle.
        case halfOpen
        /// The same, but only on the way back.
        case deafOneWay
    }

    let port: Int
    private let upstream: Int
    private let listener: Int32
    private let weather = Mutex(Weather.fair)
    private let isOver = Atomic<Bool>(false)
    private let sockets = Mutex<[Int32]>([])

    /// Listens on a free port for what is meant for another.
    init(to upstream: Int) throws {
        self.upstream = upstream
        port = try ServicePorts.take()
        listener = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard unsafe LocalAddress.with(port, { unsafe bind(listener, $0, $1) }) == 0,
            listen(listener, 16) == 0
        else {
            throw EndToEndError("proxy on port \(port): errno \(errno)")
        }
        _ = ThreadRun { [self] in accept() }
    }

    func set(_ new: Weather) { weather.withLock { $0 = new } }

    /// Breaks all connections, without a word to either side but the reset.
    func breakConnections() {
        for socket in sockets.withLock({ $0 }) { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    func stop() {
        isOver.store(true, ordering: .relaxed)
        shutdown(listener, Int32(SHUT_RDWR))
        breakConnections()
    }

    private func accept() {
        while !isOver.load(ordering: .relaxed) {
            let near = Glibc.accept(listener, nil, nil)
            guard near >= 0 else { continue }
            // A service that is started now must not hold it open.
            _ = fcntl(near, F_SETFD, FD_CLOEXEC)
            let far = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard unsafe LocalAddress.with(upstream, { unsafe connect(far, $0, $1) }) == 0 else {
                close(near)
                close(far)
                continue
            }
            let pair = Pair(near: near, far: far)
            sockets.withLock { $0 += [near, far] }
            _ = ThreadRun { [self] in relay(from: near, to: far, isWayBack: false, pair) }
            _ = ThreadRun { [self] in relay(from: far, to: near, isWayBack: true, pair) }
        }
        close(listener)
    }

    /// Two sockets that are closed once both directions have ended.
    private final class Pair: Sendable {
        let near: Int32
        let far: Int32
        private let ended = Atomic<Int>(0)

        init(near: Int32, far: Int32) {
            self.near = near
            self.far = far
        }

        /// Whether this was the second.
        func end() -> Bool {
            shutdown(near, Int32(SHUT_RDWR))
            shutdown(far, Int32(SHUT_RDWR))
            return ended.add(1, ordering: .sequentiallyConsistent).newValue == 2
        }
    }

    private func relay(from source: Int32, to target: Int32, isWayBack: Bool, _ pair: Pair) {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(source, $0.baseAddress, $0.count, 0)
            }
            guard count > 0 else { break }
            while isHeld(isWayBack: isWayBack), !isOver.load(ordering: .relaxed) { pause(milliseconds: 5) }
            if case .slow(let milliseconds) = weather.withLock({ $0 }) { pause(milliseconds: milliseconds) }
            guard Self.send(buffer[..<count], to: target) else { break }
        }
        guard pair.end() else { return }
        sockets.withLock { $0.removeAll { $0 == pair.near || $0 == pair.far } }
        close(pair.near)
        close(pair.far)
    }

    private func isHeld(isWayBack: Bool) -> Bool {
        switch weather.withLock({ $0 }) {
        case .fair, .slow: false
        case .halfOpen: true
        case .deafOneWay: isWayBack
        }
    }

    private static func send(_ bytes: ArraySlice<UInt8>, to socket: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
