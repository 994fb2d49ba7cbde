import JobModel
import Synchronization
import Wire

/// All lanes of a writer: a job's messages always go into the same one, so their order is kept.
final class LaneSet: Sendable {
    private let lanes = Mutex<[Lane]>([])

    /// Receiver and lanes need one another; the lanes come second.
    func open(_ lanes: [Lane]) { self.lanes.withLock { $0 = lanes } }

    /// The lanes.
    var all: [Lane] { lanes.withLock { $0 } }

    /// Puts messages into the lanes of their jobs.
    ///
    /// - Returns: those whose lane is full or closed, or that have none.
    func put(_ items: [LaneItem]) -> [LaneItem] {
        let lanes = all
        guard !lanes.isEmpty else { return items }
        var loads = [[LaneWork]](repeating: [], count: lanes.count)
        for number in loads.indices { loads[number].reserveCapacity(2 * items.count / lanes.count) }
        for item in items {
            loads[Self.lane(of: item.jobHash, laneCount: lanes.count)].append(.message(item))
        }
        var refused: [LaneItem] = []
        for number in loads.indices where !loads[number].isEmpty {
            refused += lanes[number].put(loads[number])
        }
        return refused
    }

    /// The number of the lane of a job, by the hash of its id.
    static func lane(of jobHash: UInt64, laneCount: Int) -> Int { Int(jobHash % UInt64(laneCount)) }

    /// Puts an ingest's beat into every lane. The answer comes with the first that has stored it, or once none can.
    func put(_ beat: Beat, from sender: [UInt8], receivedMilliseconds: Int64) -> Bool {
        let lanes = all
        let tally = BeatTally(laneCount: lanes.count)
        let item = BeatItem(
            sender: sender,
            messageID: beat.messageID,
            ingest: beat.ingest,
            receivedMilliseconds: receivedMilliseconds,
            isInterrupted: beat.isInterrupted,
            signsOff: beat.signsOff,
            tally: tally
        )
        return !lanes.isEmpty && lanes.allSatisfy { $0.put(item) }
    }

    /// FNV-1a over the id's bytes: the same in every run and every writer.
    static func hash(_ id: JobID) -> UInt64 {
        let bytes = id.rawValue.utf8.span
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for place in bytes.indices { hash = (hash ^ UInt64(bytes[place])) &* 0x100_0000_01B3 }
        return hash
    }
}
