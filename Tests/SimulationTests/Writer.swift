import JobModel
import Wire

@testable import Writer

/// A writer: receiver and lanes. A kill takes what its lanes hold, and the answers that are not out yet.
///
/// Unchecked: see `Scheduler`.
final class SimulatedWriter: @unchecked Sendable {
    let name: String
    unowned let world: World
    private(set) var isUp = false
    private(set) var lanes: [SimulatedLane] = []
    private var isClosing = false
    /// It may not write what clients tell, be it for want of a right or of memory; beats it may.
    var refusesUntil: Int64 = 0

    init(_ name: String, _ world: World) {
        self.name = name
        self.world = world
    }

    func start(laneCount: Int) {
        guard !isUp else { return }
        world.scheduler.trace("\(name) starts with \(laneCount) lanes")
        isUp = true
        isClosing = false
        lanes = (0..<laneCount).map { SimulatedLane(number: Int32($0), laneCount: laneCount, writer: self) }
    }

    func kill() {
        guard isUp else { return }
        world.scheduler.trace("\(name) is killed")
        isUp = false
        for lane in lanes { lane.isDead = true }
    }

    /// SIGTERM: what is in is committed, then the lanes sign off.
    func stop() {
        guard isUp, !isClosing else { return }
        world.scheduler.trace("\(name) is told to end")
        isClosing = true
        for lane in lanes { lane.close() }
    }

    func laneEnded() {
        guard isClosing, lanes.allSatisfy(\.isDead) else { return }
        world.scheduler.trace("\(name) has ended")
        isUp = false
    }

    /// As `Receiver` takes a batch in.
    func receive(_ batch: EnvelopeBatch, from connection: Connection) {
        guard isUp, !isClosing else { return }
        let now = world.scheduler.now
        var refusals: [AnswerEnvelope] = []
        for envelope in batch.envelopes {
            let item = LaneItem(
                sender: connection.sender,
                messageID: envelope.messageID,
                message: envelope.message,
                receivedMilliseconds: now - Int64(envelope.ageMilliseconds)
            )
            let lane = Int(LaneSet.hash(item.message.jobID) % UInt64(lanes.count))
            guard !lanes[lane].put(item, connection) else { continue }
            refusals.append(AnswerEnvelope(messageID: envelope.messageID, answer: Answer(.unavailable)))
        }
        for beat in batch.beats {
            let item = BeatItem(
                sender: connection.sender,
                messageID: beat.messageID,
                ingest: beat.ingest,
                receivedMilliseconds: now - Int64(beat.ageMilliseconds),
                isInterrupted: beat.isInterrupted,
                signsOff: beat.signsOff,
                tally: BeatTally(laneCount: lanes.count)
            )
            for lane in lanes { lane.put(item, connection) }
        }
        if !refusals.isEmpty { connection.answer(refusals) }
    }
}
