import JobModel
import StackSupport
import Synchronization
import TestSupport

/// Backups whose messages are sent in a random order, some of them again: the rows must be those of the plain
/// order all the same.
final class Shuffler: Sendable {
    enum Way: Sendable {
        /// One after the other.
        case oneByOne
        /// Through four connections at once, each message after a random pause.
        case concurrent
    }

    /// One backup, as its client meant it.
    struct Backup: Sendable {
        var id: String
        /// In the plain order, the registration first.
        var requests: [ClientRequest]
        var isNew: Bool

        /// How the rows differ from those of the plain order. nil if they do not.
        func difference(_ stored: StoredJob) throws -> String? {
            var job: Job?
            for request in requests { _ = Job.apply(try Expectation.message(request), to: &job) }
            guard var expected = job else { return "no registration" }
            // How far the sequence was read when the job had ended depends on the order by its nature.
            expected.seq = stored.row?.seq ?? 0
            return stored.difference(from: expected)
        }
    }

    struct Result: Sendable {
        var jobs: [Backup] = []
        var acknowledgedCount = 0
        /// Messages that were sent again or at another place than their own.
        var disorderCount = 0
        /// Answers that should not be, in lines.
        var unexpected: [String] = []
    }

    private let site: Site
    private let jobCount: Int
    private let way: Way
    private let seed: UInt64
    private let next = Atomic<Int>(0)
    private let abandoned = Atomic<Bool>(false)
    private let state = Mutex(Result())
    private let threads = Mutex<[ThreadRun<Void>]>([])

    init(site: Site, jobCount: Int, threadCount: Int, way: Way, seed: UInt64) {
        (self.site, self.jobCount, self.way, self.seed) = (site, jobCount, way, seed)
        let started = (0..<threadCount).map { _ in ThreadRun { [self] in run() } }
        threads.withLock { $0 = started }
    }

    var isOver: Bool { threads.withLock { $0.allSatisfy(\.isOver) } }

    func abandon() { abandoned.store(true, ordering: .relaxed) }

    func result() throws -> Result {
        for thread in threads.withLock({ $0 }) { try thread.value() }
        return state.withLock { $0 }
    }

    private func run() {
        var line = Line(ports: site.ports, first: 0)
        while !abandoned.load(ordering: .relaxed) {
            let number = next.add(1, ordering: .relaxed).oldValue
            guard number < jobCount else { return }
            var generator = SplitMix64(seed: seed &+ UInt64(number) &* 0x2545_F491)
            let backup = Self.backup(number, way, &generator)
            send(backup.requests[0], backup, &line)
            let order = Self.shuffled(backup, &generator)
            switch way {
            case .oneByOne:
                for request in order { send(request, backup, &line) }
            case .concurrent:
                sendAtOnce(order, backup, &generator)
            }
            state.withLock { $0.jobs.append(backup) }
        }
    }

    private func sendAtOnce(_ order: [ClientRequest], _ backup: Backup, _ generator: inout SplitMix64) {
        let delays = order.map { _ in UInt32.random(in: 0...60, using: &generator) }
        let count = 4
        let runs = (0..<count).map { number in
            ThreadRun { [self] in
                var line = Line(ports: site.ports, first: 0)
                for index in order.indices where index % count == number {
                    pause(milliseconds: delays[index])
                    send(order[index], backup, &line)
                }
            }
        }
        for run in runs { _ = try? run.value() }
    }

    private static func backup(_ number: Int, _ way: Way, _ generator: inout SplitMix64) -> Backup {
        let id = "backup-shuffle-\(number)"
        // Only by `seq` can messages at once be put in order.
        let isNew = way == .concurrent || Int.random(in: 0..<3, using: &generator) > 0
        var shape = BackupShape.short(&generator)
        // An old client's messages may come in any order as far as they have numbers, of a job of one disk.
        if !isNew { (shape.totals, shape.ending) = ([shape.totals[0]], .completed) }
        shape.steps = min(shape.steps ?? 4, 5)
        var script: any Script =
            isNew
            ? NewScript(job: id, shape: shape)
            : OldScript(job: id, shape: shape, generation: .withoutDisks, seed: generator.next())
        var requests: [ClientRequest] = []
        while let request = script.next(isClosing: true) { requests.append(request) }
        return Backup(id: id, requests: requests, isNew: isNew)
    }

    private static func shuffled(_ backup: Backup, _ generator: inout SplitMix64) -> [ClientRequest] {
        let rest = backup.requests.dropFirst()
        let free = backup.isNew ? Array(rest) : rest.filter { $0.role == .progress }
        let bound = backup.isNew ? [] : rest.filter { $0.role == .completed || $0.role == .completion }
        let again = free.filter { _ in Int.random(in: 0..<3, using: &generator) == 0 }
        return (free + again).shuffled(using: &generator) + bound
    }

    /// Sends a message until it is acknowledged or refused.
    private func send(_ request: ClientRequest, _ backup: Backup, _ line: inout Line) {
        while !abandoned.load(ordering: .relaxed) {
            let reply = line.post(request)
            switch reply?.status {
            case 200, 201, 202:
                return state.withLock {
                    $0.acknowledgedCount += 1
                    $0.disorderCount += request.isRegistration ? 0 : 1
                }
            case nil, 503: pause(milliseconds: 30)
            // A message that comes after the end.
            case 409 where backup.isNew: return
            case .some(let status):
                return state.withLock {
                    $0.unexpected.append(
                        "\(status) to \(request.body.prefix(200)): \(reply?.text.prefix(200) ?? "")"
                    )
                }
            }
        }
    }
}
