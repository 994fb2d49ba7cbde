import StackSupport
import Foundation
import Synchronization
import TestSupport

/// Clients that report without a pause, each on a thread and a connection of its own for a job of its own:
/// what they were promised is compared with what is stored.
final class Flood: Sendable {
    /// What one client was told.
    struct Tally: Equatable {
        /// The highest `seq` that was answered 200.
        var acknowledged = 0
        var acknowledgements = 0
        var unavailable = 0
        var unavailableWithoutRetryAfter = 0
        var brokenConnections = 0
        /// Answers that should not be, as text.
        var unexpected: [String] = []
    }

    /// A client's bytes follow from its `seq`, so that the row shows which message it holds.
    static let bytesPerSeq: Int64 = 1000
    static let total: Int64 = 1_000_000_000

    let jobs: [String]
    private let hub: Hub
    private let tallies: Mutex<[Tally]>
    private let isPaused = Atomic<Bool>(false)
    private let isOver = Atomic<Bool>(false)
    private let underWay = Atomic<Int>(0)
    private let threads = Mutex<[ThreadRun<Void>]>([])

    /// Registers the jobs and starts the clients.
    init(_ hub: Hub, name: String, clientCount: Int) throws {
        self.hub = hub
        jobs = (0..<clientCount).map { "backup-\(name)-\($0)" }
        tallies = Mutex(jobs.map { _ in Tally() })
        for job in jobs {
            let reply = try hub.register(job, vm: name, totals: [Self.total], telemetry: true)
            guard reply.status == 201 else { throw EndToEndError("registration of \(job): \(reply.text)") }
        }
        let started = jobs.indices.map { index in ThreadRun { [self] in run(index) } }
        threads.withLock { $0 = started }
    }

    /// What the clients were told, together.
    var sum: Tally {
        current.reduce(into: Tally()) { sum, tally in
            sum.acknowledgements += tally.acknowledgements
            sum.unavailable += tally.unavailable
            sum.unavailableWithoutRetryAfter += tally.unavailableWithoutRetryAfter
            sum.brokenConnections += tally.brokenConnections
            sum.unexpected += tally.unexpected
        }
    }

    /// What each client was told, in the order of `jobs`.
    var current: [Tally] { tallies.withLock { $0 } }

    /// Lets the clients wait, and returns once none has a request under way.
    func pauseClients() throws {
        isPaused.store(true, ordering: .sequentiallyConsistent)
        guard
            eventually(
                seconds: 15,
                everyMilliseconds: 5,
                { underWay.load(ordering: .sequentiallyConsistent) == 0 }
            )
        else { throw EndToEndError("a request is under way for ever") }
    }

    /// Lets them go on.
    func resumeClients() { isPaused.store(false, ordering: .sequentiallyConsistent) }

    /// Waits until the clients have been told 200 once more, all together so many times.
    func waitForAcknowledgements(_ count: Int, seconds: Double) -> Bool {
        let before = sum.acknowledgements
        return eventually(seconds: seconds, everyMilliseconds: 10) { sum.acknowledgements - before >= count }
    }

    /// Tells the clients to end; a test that fails must not leave them at work.
    func end() { isOver.store(true, ordering: .sequentiallyConsistent) }

    /// Ends the clients, and waits until they have.
    func stop() throws {
        end()
        for thread in threads.withLock({ $0 }) { try thread.value() }
    }

    private func run(_ index: Int) {
        var connection: HTTPConnection?
        var seq = 0
        while !isOver.load(ordering: .sequentiallyConsistent) {
            underWay.add(1, ordering: .sequentiallyConsistent)
            if isPaused.load(ordering: .sequentiallyConsistent) {
                underWay.subtract(1, ordering: .sequentiallyConsistent)
                pause(milliseconds: 5)
                continue
            }
            seq += 1
            let isServed = request(index, seq, &connection)
            underWay.subtract(1, ordering: .sequentiallyConsistent)
            // Far sooner than a real client comes back, so that some requests meet each moment of a restart.
            pause(milliseconds: isServed ? 2 : 50)
        }
    }

    private func request(_ index: Int, _ seq: Int, _ connection: inout HTTPConnection?) -> Bool {
        let message = Hub.Message(
            job: jobs[index],
            seq: seq,
            bytes: [Int64(seq) * Self.bytesPerSeq],
            totals: [Self.total]
        )
        do {
            let open = try connection ?? HTTPConnection(port: hub.port)
            connection = open
            let reply = try open.request(
                "POST",
                "/api/v1/telemetry/backup/\(message.job)",
                body: message.text
            )
            if reply.headers["connection"] == "close" { connection = nil }
            tallies.withLock { Self.note(reply, seq, &$0[index]) }
            return reply.status == 200
        } catch {
            connection = nil
            tallies.withLock { $0[index].brokenConnections += 1 }
            return false
        }
    }

    private static func note(_ reply: HTTPReply, _ seq: Int, _ tally: inout Tally) {
        switch reply.status {
        case 200:
            tally.acknowledged = seq
            tally.acknowledgements += 1
        case 503:
            tally.unavailable += 1
            if reply.headers["retry-after"] == nil { tally.unavailableWithoutRetryAfter += 1 }
        default:
            tally.unexpected.append("\(reply.status) \(reply.text)")
        }
    }
}
