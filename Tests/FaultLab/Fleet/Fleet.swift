import StackSupport
import Synchronization
import TestSupport

/// Clients at work, and their ledgers.
final class Fleet: Sendable {
    enum Mode: Sendable {
        /// One backup each, which goes on until the fleet closes.
        case steady
        /// Short backups, one after the other.
        case churn
    }

    /// Who a client is.
    enum Role: Sendable {
        case new
        case old(OldClient.Generation)
    }

    private struct State {
        var ledgers: [Ledger] = []
        var threads: [ThreadRun<Void>] = []
        var clients: [FleetClient] = []
        /// The newest ledger of each client.
        var current: [Int: Ledger] = [:]
    }

    let name: String
    let ports: [Int]
    let mode: Mode
    let seed: UInt64
    /// Milliseconds between a client's messages.
    let pace: ClosedRange<UInt32>
    private let roles: [Role]
    /// A client's clock when it starts, in seconds since 1970 UTC; nil for the script's own.
    private let clock: (@Sendable (_ client: Int) -> Int64)?
    private let closing = Atomic<Bool>(false)
    private let abandoned = Atomic<Bool>(false)
    private let acknowledged = Atomic<Int>(0)
    private let kept = Atomic<Int>(0)
    private let unavailable = Atomic<Int>(0)
    private let state = Mutex(State())

    /// Starts the clients.
    init(
        _ name: String,
        ports: [Int],
        mode: Mode,
        roles: [Role],
        pace: ClosedRange<UInt32> = 2...40,
        seed: UInt64,
        clock: (@Sendable (_ client: Int) -> Int64)? = nil
    ) {
        self.name = name
        self.ports = ports
        self.mode = mode
        self.roles = roles
        self.pace = pace
        self.seed = seed
        self.clock = clock
        let clients = roles.indices.map { FleetClient(self, number: $0) }
        let threads = clients.map { client in ThreadRun { client.run() } }
        state.withLock { ($0.clients, $0.threads) = (clients, threads) }
    }

    /// A mix of as many new clients and old ones of every generation.
    static func mix(new: Int, old: Int) -> [Role] {
        let generations = OldClient.Generation.allCases
        return Array(repeating: .new, count: new)
            + (0..<old).map { .old(generations[$0 % generations.count]) }
    }

    /// Old clients that report.
    static func reporting(_ count: Int) -> [Role] {
        (0..<count).map { .old($0.isMultiple(of: 2) ? .withoutDisks : .withDisks) }
    }

    var isClosing: Bool { closing.load(ordering: .relaxed) }
    /// Nobody waits for the clients any more.
    var isAbandoned: Bool { abandoned.load(ordering: .relaxed) }
    var ledgers: [Ledger] { state.withLock { $0.ledgers } }
    var acknowledgedCount: Int { acknowledged.load(ordering: .relaxed) }
    /// How many messages were answered 202.
    var keptCount: Int { kept.load(ordering: .relaxed) }
    var unavailableCount: Int { unavailable.load(ordering: .relaxed) }

    /// Waits until the clients have been acknowledged so many times more.
    ///
    /// - Returns: false if they were not within the time.
    func waitForAcknowledgements(_ count: Int, seconds: Double) -> Bool {
        let before = acknowledgedCount
        return eventually(seconds: seconds, everyMilliseconds: 10) { acknowledgedCount - before >= count }
    }

    /// Ends some clients without a word.
    func die(_ numbers: some Sequence<Int>) {
        let clients = state.withLock { $0.clients }
        for number in numbers { clients[number].die() }
    }

    /// Lets each backup come to its end, and waits until all have.
    ///
    /// - Throws: `EndToEndError` if some do not within the time; they are given up then.
    func close(seconds: Double = 60) throws {
        closing.store(true, ordering: .relaxed)
        let threads = state.withLock { $0.threads }
        let waiter = ThreadRun { for thread in threads { try thread.value() } }
        let isOver = eventually(seconds: seconds, everyMilliseconds: 10) { waiter.isOver }
        guard isOver else {
            abandon()
            throw EndToEndError("after \(seconds) s some clients of \(name) are still not served")
        }
    }

    /// Ends all clients at once.
    func abandon() {
        abandoned.store(true, ordering: .relaxed)
        closing.store(true, ordering: .relaxed)
        for client in state.withLock({ $0.clients }) { client.die() }
    }

    // MARK: - For its clients

    /// A client's next backup.
    func script(_ number: Int, _ round: Int, _ generator: inout SplitMix64) -> any Script {
        let job = "backup-\(name)-\(number)-\(round)"
        let shape = mode == .steady ? BackupShape.endless(&generator) : BackupShape.short(&generator)
        switch roles[number] {
        case .new: return NewScript(job: job, shape: shape)
        case .old(let generation):
            return OldScript(
                job: job,
                shape: shape.limited,
                generation: generation,
                clock: clock?(number),
                seed: generator.next()
            )
        }
    }

    func newLedger(_ script: any Script, _ number: Int) -> Ledger {
        let ledger = Ledger(job: script.job, isNew: script.isNew)
        state.withLock { state in
            state.ledgers.append(ledger)
            state.current[number] = ledger
        }
        return ledger
    }

    func counted(_ fate: Ledger.Fate) {
        switch fate {
        case .taken: acknowledged.add(1, ordering: .relaxed)
        case .kept:
            acknowledged.add(1, ordering: .relaxed)
            kept.add(1, ordering: .relaxed)
        case .unknown: unavailable.add(1, ordering: .relaxed)
        case .refused: break
        }
    }
}
