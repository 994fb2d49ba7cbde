import StackSupport
import Synchronization
import TestSupport

/// Very many old clients on few threads, which all take a step before any takes the next.
final class Crowd: Sendable {
    private final class Member: Sendable {
        let ledger: Ledger
        private let script: Mutex<OldScript>

        init(_ script: OldScript) {
            ledger = Ledger(job: script.job, isNew: false)
            self.script = Mutex(script)
        }

        func next(isClosing: Bool) -> ClientRequest? { script.withLock { $0.next(isClosing: isClosing) } }
    }

    private static let threadCount = 48

    private let ports: [Int]
    private let members: [Member]
    private let acknowledged = Atomic<Int>(0)
    private let kept = Atomic<Int>(0)

    /// Makes the clients; nothing is sent yet.
    init(_ name: String, ports: [Int], count: Int, seed: UInt64) {
        self.ports = ports
        members = (0..<count).map { number in
            let script = OldScript(
                job: "backup-\(name)-\(number)",
                shape: BackupShape(totals: [1 << 40], steps: nil, ending: .completed),
                generation: number.isMultiple(of: 2) ? .withoutDisks : .withDisks,
                // As in the field: five seconds by their clocks, however fast they are told here.
                secondsApart: 5,
                seed: seed &+ UInt64(number)
            )
            return Member(script)
        }
    }

    var ledgers: [Ledger] { members.map(\.ledger) }
    var acknowledgedCount: Int { acknowledged.load(ordering: .relaxed) }
    var keptCount: Int { kept.load(ordering: .relaxed) }

    /// Lets some clients send one request each.
    func step(_ numbers: Range<Int>, isClosing: Bool = false) throws {
        let turns = Turns(next: numbers.lowerBound, end: numbers.upperBound)
        let threads = (0..<Self.threadCount).map { thread in
            ThreadRun { [self] in
                var line = Line(ports: ports, first: thread)
                while let number = turns.take() { step(number, isClosing, &line) }
            }
        }
        for thread in threads { try thread.value() }
    }

    private func step(_ number: Int, _ isClosing: Bool, _ line: inout Line) {
        let member = members[number]
        guard let request = member.next(isClosing: isClosing) else { return }
        let begin = LabClock.now
        var reply = line.post(request)
        while request.isRegistration, reply == nil || reply?.status == 503 {
            pause(milliseconds: 50)
            reply = line.post(request)
        }
        member.ledger.noteTry(from: begin, to: LabClock.now)
        let fate: Ledger.Fate =
            switch reply?.status {
            case 200, 201: .taken
            case 202: .kept
            case nil, 503: .unknown
            case .some(let status): .refused(status, reply?.text ?? "")
            }
        member.ledger.note(request, fate)
        if fate == .taken || fate == .kept { acknowledged.add(1, ordering: .relaxed) }
        if fate == .kept { kept.add(1, ordering: .relaxed) }
    }
}

/// Numbers that several threads share out.
private final class Turns: Sendable {
    private let next: Atomic<Int>
    private let end: Int

    init(next: Int, end: Int) {
        self.next = Atomic(next)
        self.end = end
    }

    func take() -> Int? {
        let number = next.add(1, ordering: .relaxed).oldValue
        return number < end ? number : nil
    }
}
