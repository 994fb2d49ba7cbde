import Database
import JobModel
import Logging
import Metrics
import ServiceKit
import Synchronization
import Threading

/// Reads running jobs before they are heard of, so that their first messages go the fast way, too: all of them at the
/// writer's start, and again once lanes meet so many strangers that somebody else must have made them.
///
/// Looks lock nothing and nothing rests on them: whether the rows still are the same, the statement that changes them
/// finds out. So what cannot be read now is left to the lanes.
final class ReadAhead: Sendable {
    /// Strangers that are too few to look at all running jobs.
    private static let strangerCountMin = 1024
    /// Ids that one walk through the index brings.
    private static let pageCount = 8192
    /// Jobs that go to the lanes at once: a lane takes them between two transactions.
    private static let loadCount = 1024

    private struct State {
        var isStopped = false
        /// Since the last reading began.
        var strangerCount = 0
        /// So many begin the next one.
        var enough = ReadAhead.strangerCountMin
    }

    private let settings: DatabaseSettings
    private let lanes: LaneSet
    private let migrated: Latch
    private let logger: Logger
    private let state = Mutex(State())
    private let condition = Condition()
    private let jobs = Counter(label: "sendense_writer_jobs_read_ahead_total")

    init(_ settings: DatabaseSettings, lanes: LaneSet, migrated: Latch, logger: Logger) {
        self.settings = settings
        self.lanes = lanes
        self.migrated = migrated
        self.logger = logger
    }

    /// A lane has read so many running jobs that it did not know, and remembers them now.
    func met(_ count: Int) {
        let isEnough = state.withLock { state in
            let before = state.strangerCount
            state.strangerCount += count
            return before < state.enough && state.strangerCount >= state.enough
        }
        if isEnough { condition.broadcast() }
    }

    /// The reading as a service.
    func service() -> ThreadService {
        ThreadService(name: "read-ahead") { [self] in
            state.withLock { $0.isStopped = true }
            condition.broadcast()
        } _: { [self] in
            DatabaseLibrary.withThread { run() }
        }
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    private func run() {
        while !migrated.wait(milliseconds: 200) {
            if isStopped { return }
        }
        while !isStopped {
            read()
            condition.wait { state.withLock { $0.isStopped || $0.strangerCount >= $0.enough } }
        }
    }

    /// Reads once through all running jobs, as many as lanes remember.
    private func read() {
        state.withLock { $0.strangerCount = 0 }
        let start = MonotonicClock.nowMilliseconds
        var count = 0
        do throws(DatabaseError) {
            let store = JobStore(try Connection.open(settings))
            try read(store, &count)
        } catch {
            logger.debug("running jobs cannot be read ahead", metadata: ["error": "\(error)"])
        }
        // To look again at what is known pays only where as much is not.
        state.withLock { $0.enough = max(Self.strangerCountMin, count / 2) }
        guard count > 0 else { return }
        Heap.giveBack()
        jobs.increment(by: count)
        logger.info(
            "running jobs are read ahead",
            metadata: ["jobs": "\(count)", "ms": "\(MonotonicClock.nowMilliseconds - start)"]
        )
    }

    private func read(_ store: JobStore, _ count: inout Int) throws(DatabaseError) {
        var taken: [Latch] = []
        var last = ""
        while count < JobMemory.writerCountMax {
            let page = try store.runningIDs(behind: last, countMax: Self.pageCount)
            guard let end = page.last else { break }
            last = end
            for start in stride(from: 0, to: page.count, by: Self.loadCount) {
                let jobs = try look(store, page[start..<min(start + Self.loadCount, page.count)])
                // While the lanes take one load, the next is read, and no more.
                guard wait(for: taken) else { return }
                taken = hand(jobs)
                count += jobs.count
            }
        }
        // Until then the last load is in use, and cannot be given back.
        _ = wait(for: taken)
    }

    /// - Returns: false if the writer ends meanwhile.
    private func wait(for taken: [Latch]) -> Bool {
        for latch in taken {
            while !latch.wait(milliseconds: 200) {
                if isStopped { return false }
            }
        }
        return !isStopped
    }

    private func look(
        _ store: JobStore,
        _ ids: ArraySlice<String>
    ) throws(DatabaseError) -> [RunningJob] {
        var jobs: [RunningJob] = []
        for start in stride(from: ids.startIndex, to: ids.endIndex, by: JobStore.jobCountMax) {
            jobs += try store.look(at: ids[start..<min(start + JobStore.jobCountMax, ids.endIndex)])
        }
        return jobs
    }

    /// Gives each lane its jobs.
    ///
    /// - Returns: what opens once the lanes have taken them; nothing of a lane that is full.
    private func hand(_ jobs: [RunningJob]) -> [Latch] {
        let lanes = lanes.all
        var loads = lanes.map { _ in [RunningJob]() }
        for job in jobs {
            loads[LaneSet.lane(of: LaneSet.hash(job.id), laneCount: lanes.count)].append(job)
        }
        return zip(lanes, loads).compactMap { lane, jobs in
            let load = KnownJobs(jobs: jobs)
            return lane.put(load) ? load.isTaken : nil
        }
    }
}

/// Jobs of one lane that were read before they were heard of.
struct KnownJobs: Sendable {
    let jobs: [RunningJob]
    let receivedMilliseconds = MonotonicClock.nowMilliseconds
    /// Opened once the lane has taken them.
    let isTaken = Latch()
}
