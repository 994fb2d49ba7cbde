import Database
import JobModel

/// What nearly every message is, merged without reading a row: plain progress of jobs that the lane remembers.
///
/// The rules are the same as on the careful way, and applied to the same numbers: those of the rows as the lane left
/// them. Whether they still are the same, the statement that changes the rows finds out; where they are not, the
/// transaction begins anew on the careful way.
struct FastWay {
    /// What the rules made of the remembered jobs, ascending by id.
    var progress = JobProgress()
    /// Where they are remembered: once that is stored, with what it says of them.
    private(set) var places: [JobMemory.Place] = []
    /// The answers, by the places of their items. What goes the careful way is only told there.
    private(set) var answers: [Answer]
    /// The places of the items that have to go the careful way, ascending.
    private(set) var rest: [Int] = []

    /// Merges what it can. Pure.
    ///
    /// - Parameters:
    ///   - items: the messages, in the order of their arrival.
    ///   - memory: what the lane remembers.
    ///   - nowMilliseconds: the monotonic time of this machine.
    init(_ items: [LaneItem], _ memory: JobMemory, nowMilliseconds: Int64) {
        answers = Array(repeating: Answer(.unavailable), count: items.count)
        guard let anyID = items.first?.message.jobID else { return }
        var merge = RememberedJob.Merge(anyID)
        places.reserveCapacity(items.count)
        progress.reserveCapacity(items.count)
        let order = Self.sorted(items)
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, order[end].key == order[start].key,
                items[order[end].place].message.jobID == items[order[start].place].message.jobID
            {
                end += 1
            }
            if !take(order[start..<end], items, memory, &merge, nowMilliseconds) {
                rest += order[start..<end].map(\.place)
            }
            start = end
        }
        rest.sort()
    }

    /// Takes in the answers of what went the careful way.
    mutating func answerRest(_ others: [Answer]) {
        for (place, answer) in zip(rest, others) { answers[place] = answer }
    }

    /// A message in the order of the jobs.
    private struct Item {
        /// Of most ids it tells all that there is to compare.
        let key: UInt64
        let place: Int
    }

    /// By job, and each job's messages in the order of their arrival.
    private static func sorted(_ items: [LaneItem]) -> [Item] {
        guard let first = items.first?.message.jobID else { return [] }
        var shared = Int.max
        for place in items.indices {
            shared = min(shared, first.sharedByteCount(with: items[place].message.jobID))
        }
        var order = items.indices.map { place in
            Item(key: items[place].message.jobID.sortKey(behind: shared), place: place)
        }
        order.sort { left, right in
            if left.key != right.key { return left.key < right.key }
            let ids = (items[left.place].message.jobID, items[right.place].message.jobID)
            return ids.0 == ids.1 ? left.place < right.place : ids.0 < ids.1
        }
        return order
    }

    /// - Returns: false where the job's messages have to go the careful way.
    private mutating func take(
        _ group: ArraySlice<Item>,
        _ items: [LaneItem],
        _ memory: borrowing JobMemory,
        _ merge: inout RememberedJob.Merge,
        _ now: Int64
    ) -> Bool {
        guard let first = group.first, let place = memory.place(of: items[first.place].jobHash) else {
            return false
        }
        let history = memory.look(at: place, &merge.before)
        merge.begin(items[first.place].message.jobID)
        var age = Int64.max
        for item in group {
            guard let answer = Self.merge(items[item.place].message, &merge) else { return false }
            answers[item.place] = answer
            age = min(age, max(0, now - items[item.place].receivedMilliseconds))
        }
        guard let seqs = merge.end() else { return false }
        progress.append(
            merge.job,
            from: merge.before,
            seqs: seqs,
            history: history,
            contactAgeMilliseconds: age
        )
        places.append(place)
        return true
    }

    private static func merge(_ message: borrowing JobMessage, _ merge: inout RememberedJob.Merge) -> Answer?
    {
        switch message {
        case .report(let report): merge.take(report)
        case .completion, .registration, .cancel: nil
        }
    }
}
