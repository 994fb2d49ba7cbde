public import JobModel

/// Jobs as they were read under lock, and what storing them has to know beside.
public struct LockedJobs: Sendable {
    /// The jobs that are there, by id.
    public internal(set) var jobs: [JobID: Job] = [:]
    /// Jobs that are there, and rows of which another transaction holds; only where those were skipped.
    public internal(set) var held: Set<JobID> = []
    /// Jobs that are there, with a word that no rule knows.
    public internal(set) var foreign: [JobID: ForeignWord] = [:]
    /// Where the jobs' histories stand.
    public internal(set) var histories: [JobID: JobHistory] = [:]

    /// Takes in a disk. They come by their indices, unless a hub has no index by which they could.
    mutating func insert(_ disk: Disk, of id: JobID) {
        guard var disks = jobs[id]?.disks else { return }
        jobs[id]?.disks = []
        let place = disks.lastIndex { $0.index < disk.index }.map { $0 + 1 } ?? 0
        disks.insert(disk, at: place)
        jobs[id]?.disks = disks
    }

    /// Another transaction has rows of the job.
    mutating func leaveOut(_ id: JobID) {
        jobs[id] = nil
        histories[id] = nil
        held.insert(id)
    }
}
