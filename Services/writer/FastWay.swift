import Database
import JobModel

/// What nearly every message is, merged without reading a row: plain progress of jobs that the lane remembers.
///
/// The rules are the same as on the careful way, and applied to the same numbers: those of the rows as the lane left
/// them. Whether they still are the same, the statement that changes the rows finds out; where they are not, the
/// transaction begins anew on the careful way.
struct FastWay {
    /// What the remembered jobs become, ascending by id.
    private(set) var changes: [JobChange] = []
    /// The answers, by the places of their items. nil: the item has to go the careful way.
    private(set) var answers: [Answer?]
    /// The places of the items that have to go the careful way, ascending.
    private(set) var rest: [Int] = []

    /// Merges what it can. Pure.
    ///
    /// - Parameters:
    ///   - items: the messages, in the order of their arrival.
    ///   - memory: what the lane remembers.
    ///   - nowMilliseconds: the monotonic time of this machine.
    init(_ items: [LaneItem], _ memory: JobMemory, nowMilliseconds: Int64) {
        answers = Array(repeating: nil, count: items.count)
        changes.reserveCapacity(items.count)
        // By job, and each job's messages in the order of their arrival.
        var order = items.indices.map { Item(id: items[$0].message.jobID, place: $0) }
        order.sort { $0.id == $1.id ? $0.place < $1.place : $0.id < $1.id }
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, order[end].id == order[start].id { end += 1 }
            if !merge(order[start..<end], items, memory, nowMilliseconds) {
                rest += order[start..<end].map(\.place)
            }
            start = end
        }
        rest.sort()
    }

    private struct Item {
        let id: JobID
        let place: Int
    }

    private mutating func merge(
        _ group: ArraySlice<Item>,
        _ items: [LaneItem],
        _ memory: JobMemory,
        _ now: Int64
    ) -> Bool {
        guard let id = group.first?.id else { return false }
        var reports: [Report] = []
        reports.reserveCapacity(group.count)
        var age = Int64.max
        for item in group {
            guard case .report(let report) = items[item.place].message else { return false }
            reports.append(report)
            age = min(age, max(0, now - items[item.place].receivedMilliseconds))
        }
        guard let entry = memory[id], let merged = entry.job.merge(reports, id) else { return false }
        var change = JobChange(before: merged.before, after: merged.after, contactAgeMilliseconds: age)
        change.history = entry.history
        change.rememberedSeqs = merged.seqs
        changes.append(change)
        for (item, answer) in zip(group, merged.answers) { answers[item.place] = answer }
        return true
    }
}
