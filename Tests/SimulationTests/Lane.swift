import JobModel
import Wire

@testable import Database
@testable import Writer

/// A lane: `Lane`, `Committer` and `LaneBeats` without their thread.
///
/// Unchecked: see `Scheduler`.
final class SimulatedLane: @unchecked Sendable {
    private static let beatCountMax = 1024

    private let number: Int32
    private let laneCount: Int
    private unowned let writer: SimulatedWriter
    private var mailbox: [(work: LaneWork, connection: Connection)] = []
    private var known: Set<String> = []
    private var isAtWork = false
    private var isClosed = false
    private var isSpent = false
    var isDead: Bool {
        get { isSpent }
        set { isSpent = newValue }
    }
    /// Its connection gets no answer until then.
    var stuckUntil: Int64 = 0
    /// Milliseconds that its transactions of this turn have taken.
    private var cost: Int64 = 0

    init(number: Int32, laneCount: Int, writer: SimulatedWriter) {
        self.number = number
        self.laneCount = laneCount
        self.writer = writer
    }

    private var world: World { writer.world }
    private var scheduler: Scheduler { writer.world.scheduler }

    func put(_ item: LaneItem, _ connection: Connection) -> Bool {
        let limit =
            item.message.isProgress ? Plan.laneMessageCountMax * 3 / 4 : Plan.laneMessageCountMax
        guard !isClosed, mailbox.count < limit else { return false }
        mailbox.append((.message(item), connection))
        wake()
        return true
    }

    func put(_ beat: BeatItem, _ connection: Connection) {
        guard !isClosed, mailbox.count < Plan.laneMessageCountMax + Self.beatCountMax else { return }
        mailbox.append((.beat(beat), connection))
        wake()
    }

    func close() {
        isClosed = true
        wake()
    }

    private func wake() {
        guard !isAtWork else { return }
        isAtWork = true
        after(scheduler.pick(1...20)) { [self] in turn() }
    }

    /// Once the database answers this lane. Never, where the writer is killed meanwhile.
    private func after(_ milliseconds: Int64, _ body: @escaping () -> Void) {
        scheduler.after(milliseconds) { [self] in
            guard !isDead else { return }
            let until = max(stuckUntil, world.database.pausedUntil)
            guard until > scheduler.now else { return body() }
            after(until - scheduler.now, body)
        }
    }

    private func turn() {
        var taken: [(work: LaneWork, connection: Connection)] = []
        swap(&taken, &mailbox)
        var items: [(item: LaneItem, connection: Connection)] = []
        var beats: [(beat: BeatItem, connection: Connection)] = []
        for (work, connection) in taken {
            switch work {
            case .message(let item): items.append((item, connection))
            case .beat(let beat): beats.append((beat, connection))
            // There is no database here to read ahead in.
            case .known: break
            }
        }
        store(items[...]) { [self] in
            store(beats) { [self] in
                guard mailbox.isEmpty else { return turn() }
                isAtWork = false
                if isClosed { end() }
            }
        }
    }

    private func end() {
        if !world.database.isDown {
            world.database.signOff(writer: writer.name, lane: number)
        }
        isDead = true
        writer.laneEnded()
    }

    private func store(
        _ items: ArraySlice<(item: LaneItem, connection: Connection)>,
        _ done: @escaping () -> Void
    ) {
        guard !items.isEmpty else { return done() }
        let slice = items.map(\.item)[...]
        let batch = Array(Batch.prefix(slice, jobCountMax: Plan.jobCountMax))
        cost = 0
        let answers = commit(batch)
        // Between the commit and the answers a kill finds its place.
        after(cost + scheduler.pick(1...8)) { [self] in
            for (entry, answer) in zip(items, answers) {
                let envelope = AnswerEnvelope(messageID: entry.item.messageID, answer: answer)
                entry.connection.answer([envelope])
            }
            store(items.dropFirst(batch.count), done)
        }
    }

    /// As `Committer.commit`.
    private func commit(_ items: [LaneItem]) -> [Answer] {
        guard scheduler.now >= writer.refusesUntil else { return unavailable(items) }
        var tries = 0
        while true {
            tries += 1
            do {
                return try world.database.transact(items)
            } catch {
                switch error {
                case .deadlock, .rowHeld:
                    if error == .rowHeld { cost += 60 }
                    if tries >= 2, items.count > 1 { return split(items) }
                    guard tries < 5 else {
                        return items.map { _ in Answer(error == .rowHeld ? .held : .unavailable) }
                    }
                case .connectionLost:
                    guard tries < 2 else { return unavailable(items) }
                case .down:
                    return unavailable(items)
                }
            }
        }
    }

    private func split(_ items: [LaneItem]) -> [Answer] {
        let middle = items.count / 2
        return commit(Array(items[..<middle])) + commit(Array(items[middle...]))
    }

    private func unavailable(_ items: [LaneItem]) -> [Answer] {
        items.map { _ in Answer(.unavailable, detail: "The database cannot be used now; try again.") }
    }

    /// As `LaneBeats.store`: between the age of a beat and its statement there may be a while.
    private func store(_ beats: [(beat: BeatItem, connection: Connection)], _ done: @escaping () -> Void) {
        guard !beats.isEmpty else { return done() }
        let newest = LaneBeats.newest(beats.map(\.beat), known: known, nowMilliseconds: scheduler.now)
        after(scheduler.pick(0...4)) { [self] in
            let isStored = !world.database.isDown && !world.fails(world.plan.deadlockPermille)
            if isStored {
                if known.isEmpty {
                    world.database.signOff(writer: writer.name, lanesFrom: laneCount)
                }
                for beat in newest { world.database.store(beat, writer: writer.name, lane: number) }
                known.formUnion(newest.map(\.ingest))
            }
            for (beat, connection) in beats {
                guard let isStoredBySome = beat.tally.note(isStored: isStored) else { continue }
                let answer = Answer(isStoredBySome ? .applied : .unavailable)
                connection.answer([AnswerEnvelope(messageID: beat.messageID, answer: answer)])
            }
            done()
        }
    }
}
