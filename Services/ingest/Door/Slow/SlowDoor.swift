import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Threading

/// Takes over the connections whose requests are not plain, and has NIO's HTTP handlers serve them.
final class SlowDoor: Sendable {
    private let limits: DoorLimits
    private let serve: DoorServer.Serve
    private let leave: @Sendable () -> Void
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])
    private let isEnding = Atomic<Bool>(false)
    private let loops: [ObjectIdentifier: SlowLoop]
    // The process's own event loops: replies that come after the door has closed still find their loop.
    private let group = MultiThreadedEventLoopGroup.singleton

    /// - Parameters:
    ///   - limits: the door's bounds.
    ///   - turnEnds: called when a request was handed on.
    ///   - leave: called when a connection's place is free again.
    ///   - serve: serves one request; what it hands on may wait for `turnEnds`.
    init(
        limits: DoorLimits,
        turnEnds: @escaping @Sendable () -> Void,
        leave: @escaping @Sendable () -> Void,
        serve: @escaping DoorServer.Serve
    ) {
        self.limits = limits
        self.serve = serve
        self.leave = leave
        loops = Dictionary(
            uniqueKeysWithValues: group.makeIterator().map { eventLoop in
                (ObjectIdentifier(eventLoop), SlowLoop(eventLoop, turnEnds: turnEnds))
            }
        )
    }

    /// Takes a connection over, from any thread.
    func take(_ connection: PassedConnection) {
        let (limits, serve, loops) = (limits, serve, loops)
        ClientBootstrap(group: group)
            .channelInitializer { [self] channel in
                enter(channel)
                return channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
                        throw ChannelError.eof
                    }
                    let lane = SlowLane(
                        limits: limits,
                        loop: loop,
                        bytes: connection.bytes,
                        // Asked once the channel is among those that are told.
                        isLast: connection.isLast || isEnding.load(ordering: .sequentiallyConsistent)
                    )
                    try channel.pipeline.syncOperations.addSlow(lane, limits: limits, serve: serve)
                }
            }
            .withConnectedSocket(connection.socket.descriptor)
            // What cannot be registered is closed by NIO.
            .whenFailure { _ in }
    }

    private func enter(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { [self] _ in
            channels.withLock { $0[id] = nil }
            leave()
        }
    }

    /// The door shuts down: idle connections end now, the others once their request is answered.
    func quiesce() {
        isEnding.store(true, ordering: .sequentiallyConsistent)
        for channel in channels.withLock({ Array($0.values) }) {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    /// Waits until the connections have ended, and ends those that are left then.
    func drain(untilMilliseconds end: Int64) async {
        while !channels.withLock({ $0.isEmpty }), MonotonicClock.nowMilliseconds < end {
            try? await Task.sleep(for: .milliseconds(100))
        }
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Adds what serves a connection whose requests are not plain: all of HTTP/1.1.
    func addSlow(_ lane: SlowLane, limits: DoorLimits, serve: @escaping DoorServer.Serve) throws {
        try addHandler(lane)
        // The handler answers bytes that are no HTTP itself: as a problem document, and once.
        try configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: false)
        try addHandler(DoorHandler(limits: limits, lane: lane, serve: serve))
    }
}
