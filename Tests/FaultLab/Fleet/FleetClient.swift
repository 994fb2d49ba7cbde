import StackSupport
import Synchronization
import TestSupport

/// One client's way through its backups, on a thread of its own.
final class FleetClient: Sendable {
    private let fleet: Fleet
    private let number: Int
    private let isDead = Atomic<Bool>(false)

    init(_ fleet: Fleet, number: Int) {
        self.fleet = fleet
        self.number = number
    }

    /// Ends it without a word.
    func die() { isDead.store(true, ordering: .sequentiallyConsistent) }

    var hasDied: Bool { isDead.load(ordering: .sequentiallyConsistent) }

    /// Runs backups until the fleet closes.
    func run() {
        var generator = SplitMix64(seed: fleet.seed &+ UInt64(number) &* 0x9E37_79B9)
        var line = Line(ports: fleet.ports, first: number)
        var round = 0
        repeat {
            round += 1
            var script = fleet.script(number, round, &generator)
            let ledger = fleet.newLedger(script, number)
            play(&script, ledger, &line, &generator)
        } while !hasDied && fleet.mode == .churn && !fleet.isClosing
    }

    /// Plays one backup to its end.
    private func play(
        _ script: inout any Script,
        _ ledger: Ledger,
        _ line: inout Line,
        _ generator: inout SplitMix64
    ) {
        while let request = script.next(isClosing: fleet.isClosing) {
            let repeats = script.isNew || request.isRegistration
            guard let fate = send(request, repeats: repeats, ledger, &line, &generator) else {
                ledger.note(request, .unknown)
                return ledger.noteDeath(at: LabClock.now)
            }
            ledger.note(request, fate, hub: line.hub)
            fleet.counted(fate)
            // A registration that is refused leaves nothing to tell of.
            if request.isRegistration, fate != .taken { return }
            // Each message without an answer may be stored or not: few of them leave few possibilities.
            let pace = fate == .unknown ? 150...400 : fleet.pace
            pause(milliseconds: UInt32.random(in: pace, using: &generator))
        }
    }

    /// Sends a request, as often as its client would.
    ///
    /// - Returns: nil if the client died over it.
    private func send(
        _ request: ClientRequest,
        repeats: Bool,
        _ ledger: Ledger,
        _ line: inout Line,
        _ generator: inout SplitMix64
    ) -> Ledger.Fate? {
        while !hasDied {
            let begin = LabClock.now
            let reply = line.post(request)
            // What the database refuses for good is none of the job's signs of life.
            if reply?.status != 422 { ledger.noteTry(from: begin, to: LabClock.now) }
            switch reply?.status {
            case 200, 201: return .taken
            case 202: return .kept
            case nil, 429, 502, 503, 504:
                guard repeats else { return .unknown }
                if fleet.isAbandoned { return .unknown }
                pause(milliseconds: UInt32.random(in: 20...120, using: &generator))
            case .some(let status):
                return .refused(status, reply?.text ?? "")
            }
        }
        return nil
    }
}

/// A client's connection, opened again after each failure, to the next hub where there are several.
struct Line {
    private let ports: [Int]
    private var place: Int
    private var connection: HTTPConnection?
    /// The hub, by its place, that the last request went to.
    private(set) var hub = 0

    init(ports: [Int], first: Int) {
        self.ports = ports
        place = first
    }

    /// Posts a request. nil if no whole answer came.
    mutating func post(_ request: ClientRequest) -> HTTPReply? {
        hub = place % ports.count
        do {
            let open = try connection ?? HTTPConnection(port: ports[hub])
            connection = nil
            let reply = try open.request("POST", request.path, body: request.body)
            if reply.headers["connection"] != "close" { connection = open }
            return reply
        } catch {
            place += 1
            return nil
        }
    }
}
