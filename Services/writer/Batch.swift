import Database
import JobModel

/// Applies a batch's messages to the jobs that were read, one by one in the order of their arrival. Pure.
struct Batch {
    /// What a batch makes of the jobs, and what its clients are told once that is committed.
    struct Outcome {
        /// What to store of jobs that were read, ascending by job id.
        var changes: [JobChange]
        /// An answer per item, in the items' order.
        var answers: [Answer]
        /// Signs of life that are left out.
        var shedContactCount: Int
        /// Disk entries that named disks which the job does not have.
        var ignoredDiskCount: Int
        /// What the fast way has merged. nil: nothing.
        var fast: FastWay?

        /// Jobs of which something is stored.
        var jobCount: Int { changes.count + (fast?.progress.count ?? 0) }
    }

    /// The ids of the items' jobs, each once, in the order in which rows are locked.
    static func jobIDs(_ items: some Sequence<LaneItem>) -> [JobID] {
        Set(items.map(\.message.jobID)).sorted()
    }

    /// Applies the rules.
    ///
    /// - Parameters:
    ///   - items: the messages, in the order of their arrival.
    ///   - stored: the jobs as they were read under lock.
    ///   - held: jobs that could not be locked, since another transaction has them.
    ///   - foreign: jobs that no rule can move, since their rows have words that none knows.
    ///   - shedsContacts: leaves out what is only a sign of life, since there is more to do than time.
    ///   - nowMilliseconds: the monotonic time of this machine.
    /// - Returns: what to store and what to answer after the commit.
    static func apply(
        _ items: [LaneItem],
        to stored: [JobID: Job],
        held: Set<JobID> = [],
        foreign: [JobID: ForeignWord] = [:],
        shedsContacts: Bool = false,
        nowMilliseconds: Int64
    ) -> Outcome {
        var jobs: [JobID: Job] = stored
        var ages: [JobID: Int64] = [:]
        var events: [JobID: [StatusChange]] = [:]
        var registrations: [JobID: Registration] = [:]
        var transitions: [JobID: TransitionAges] = [:]
        var answers: [Answer] = []
        answers.reserveCapacity(items.count)
        var ignored = 0
        /// Jobs that were heard by more than messages that something newer had overtaken.
        var heard: Set<JobID> = []
        for item in items {
            let id = item.message.jobID
            guard !held.contains(id) else {
                let detail = "Another transaction holds the job's rows; try again."
                answers.append(Answer(.held, detail: detail))
                continue
            }
            if let word = foreign[id] {
                answers.append(Answer(.rejected, detail: "\(word.sentence(id)) Nothing was stored."))
                continue
            }
            let before = jobs[id].map { TransitionAges.Moment($0) }
            let effect = Job.apply(item.message, to: &jobs[id])
            let sinceReceived = max(0, nowMilliseconds - item.receivedMilliseconds)
            if let after = jobs[id] {
                transitions[id, default: TransitionAges()].note(
                    before,
                    after,
                    ageMilliseconds: item.message.ageMilliseconds(sinceReceived: sinceReceived)
                )
            }
            answers.append(effect.answer)
            ignored += effect.ignoredDiskCount
            if effect.isContact {
                ages[id] = min(ages[id] ?? sinceReceived, sinceReceived)
                if effect.answer.verdict != .superseded { heard.insert(id) }
            }
            if !effect.changes.isEmpty { events[id, default: []] += effect.changes }
            if case .registration(let registration) = item.message,
                [.created, .applied].contains(effect.answer.verdict)
            {
                registrations[id] = registration
            }
        }
        var shed = 0
        let changes = jobs.keys.sorted().compactMap { id -> JobChange? in
            guard let after = jobs[id] else { return nil }
            let change = JobChange(
                before: stored[id],
                after: after,
                contactAgeMilliseconds: ages[id],
                events: events[id] ?? [],
                registration: registrations[id],
                transitions: transitions[id] ?? TransitionAges()
            )
            if shedsContacts, change.isContactOnly, !heard.contains(id) {
                shed += 1
                return nil
            }
            return change.isEmpty ? nil : change
        }
        return Outcome(
            changes: changes,
            answers: answers,
            shedContactCount: shed,
            ignoredDiskCount: ignored
        )
    }

    /// The first items whose jobs fit into one transaction.
    static func prefix(_ items: ArraySlice<LaneItem>, jobCountMax: Int) -> ArraySlice<LaneItem> {
        guard items.count > jobCountMax else { return items }
        // Two jobs of one hash count as one: then there is one more.
        var jobs: Set<UInt64> = []
        jobs.reserveCapacity(jobCountMax)
        for place in items.indices {
            let hash = items[place].jobHash
            if jobs.count < jobCountMax {
                jobs.insert(hash)
            } else if !jobs.contains(hash) {
                return items[..<place]
            }
        }
        return items
    }
}
