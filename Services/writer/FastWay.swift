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
    /// The answers, by the places of their items.
    private(set) var answers: [(place: Int, answer: Answer)] = []
    /// The places of the items that have to go the careful way, ascending.
    private(set) var rest: [Int] = []

    /// Merges what it can. Pure.
    ///
    /// - Parameters:
    ///   - items: the messages, in the order of their arrival.
    ///   - memory: what the lane remembers.
    ///   - nowMilliseconds: the monotonic time of this machine.
    init(_ items: [LaneItem], _ memory: JobMemory, nowMilliseconds: Int64) {
        let ids = items.map(\.message.jobID)
        // By job, and each job's messages in the order of their arrival.
        let order = ids.indices.sorted { ids[$0] == ids[$1] ? $0 < $1 : ids[$0] < ids[$1] }
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, ids[order[end]] == ids[order[start]] { end += 1 }
            let places = order[start..<end]
            if !merge(places, items, ids[order[start]], memory, nowMilliseconds) { rest += places }
            start = end
        }
        rest.sort()
    }

    private mutating func merge(
        _ places: ArraySlice<Int>,
        _ items: [LaneItem],
        _ id: JobID,
        _ memory: JobMemory,
        _ now: Int64
    ) -> Bool {
        var reports: [Report] = []
        var age = Int64.max
        for place in places {
            guard case .report(let report) = items[place].message else { return false }
            reports.append(report)
            age = min(age, max(0, now - items[place].receivedMilliseconds))
        }
        guard let entry = memory[id], let merged = entry.job.merge(reports, id) else { return false }
        var change = JobChange(before: merged.before, after: merged.after, contactAgeMilliseconds: age)
        change.history = entry.history
        change.rememberedSeqs = merged.seqs
        changes.append(change)
        answers += zip(places, merged.answers).map { ($0, $1) }
        return true
    }
}
