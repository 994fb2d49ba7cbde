import Database
import JobModel

/// The running jobs of one lane, as its last transactions left them: what the fast way merges by.
///
/// Nothing rests on it but speed. What is remembered is compared with the rows in the statement that changes them, and
/// what is not remembered is read.
struct JobMemory {
    /// What is remembered of one job.
    struct Entry {
        /// The job.
        let job: RememberedJob
        /// Where its history stands.
        let history: JobHistory
        fileprivate var generation: UInt32
    }

    /// A memory of which less than one in so many is wrong is worth asking.
    private static let strangerShare = 64

    private let countMax: Int
    /// By the hash of the job's id. Two jobs of one hash take each other's place, which the comparison finds.
    private var entries: [UInt64: Entry] = [:]
    private var generation: UInt32 = 0

    /// Creates an empty memory.
    ///
    /// - Parameter countMax: the most jobs that it holds; a job takes some 200 bytes.
    init(countMax: Int = 65_536) {
        self.countMax = countMax
    }

    /// How many jobs are remembered.
    var count: Int { entries.count }

    /// What is remembered of a job. nil: nothing.
    subscript(id: JobID) -> Entry? { entries[LaneSet.hash(id)] }

    /// Takes over what was committed: jobs that go on are remembered, others forgotten.
    mutating func note(_ changes: [JobChange]) {
        for change in changes {
            let key = LaneSet.hash(change.after.id)
            guard let job = RememberedJob(change.after) else {
                entries[key] = nil
                continue
            }
            if entries.count >= countMax, entries[key] == nil { makeRoom() }
            guard entries.count < countMax || entries[key] != nil else { continue }
            entries[key] = Entry(job: job, history: change.history, generation: generation)
        }
    }

    /// Looks at what jobs turned out to be. Where that is not what is remembered of one in so many, somebody else is at
    /// work on many jobs, and nothing is remembered any more: to find out of each alone would cost a transaction each.
    mutating func compare(_ changes: [JobChange]) {
        let known = changes.compactMap { change in change.before.flatMap { job in self[job.id].map { (job, $0) } } }
        let strangers = known.count { RememberedJob($0) != $1.job }
        if strangers * Self.strangerShare > known.count { entries = [:] }
    }

    /// Forgets jobs whose rows may be others by now.
    mutating func forget(_ ids: some Sequence<JobID>) {
        for id in ids { entries[LaneSet.hash(id)] = nil }
    }

    /// Drops what has not been heard of since room was made last. Each job that lives is heard of in between, where
    /// there is room for all; where there is not, those that came first keep theirs.
    private mutating func makeRoom() {
        guard entries.contains(where: { $0.value.generation != generation }) else { return }
        entries = entries.filter { $0.value.generation == generation }
        generation &+= 1
    }
}
