import Database
import JobModel

/// The running jobs of one lane, as its last transactions left them: what the fast way merges by.
///
/// Nothing rests on it but speed. What is remembered is compared with the rows in the statement that changes them, and
/// what is not remembered is read. Jobs lie packed on shelves, since a fleet of 100,000 has to find room: one with two
/// disks takes some 110 bytes with its place in the index.
struct JobMemory {
    /// A memory of which less than one in so many is wrong is worth asking.
    private static let strangerShare = 64
    /// Jobs with more disks are not remembered.
    private static let diskCountMax = 31
    /// Milliseconds between looks for room: who has not been heard of from one to the next is not at work.
    private static let roomPauseMilliseconds: Int64 = 60_000
    /// Stands for a generation of those that were read ahead, and not heard of since.
    private static let unheard = UInt8.max
    /// The most jobs that all lanes of a writer remember, if none has more than seven disks: a fleet of 100,000, and as many
    /// more as chance puts into one lane. With all of them a writer at work takes some 64 MiB.
    static let writerCountMax = 102_400

    private let countMax: Int
    /// What the jobs count for together.
    private var weight = 0
    /// By the hash of the job's id. Two jobs of one hash take each other's place, which the comparison finds.
    private var places: [UInt64: Place] = [:]
    /// By the number of disks.
    private var shelves: [Shelf]
    /// Which jobs were heard of since room was made last: any number but `unheard`.
    private var generation: UInt8 = 0
    /// When room was made last.
    private var roomMilliseconds: Int64?
    /// Some were read ahead, and perhaps never heard of: they are the first to go.
    private var hasUnheard = false

    /// Where a job lies, until something is forgotten or new jobs are noted: the shelf in the upper five bits, the slot
    /// there in the others.
    struct Place {
        fileprivate let number: UInt32

        fileprivate init(shelf: Int, slot: Int) {
            number = UInt32(shelf) << 27 | UInt32(slot)
        }

        fileprivate var shelf: Int { Int(number >> 27) }
        fileprivate var slot: Int { Int(number & 0x7FF_FFFF) }
    }

    /// Creates an empty memory.
    ///
    /// - Parameter countMax: the most jobs that it holds; one with many disks takes the room of several.
    init(countMax: Int) {
        self.countMax = countMax
        shelves = (0...Self.diskCountMax).map { Shelf(diskCount: $0) }
    }

    /// What a job counts for: so the room that all take is bounded, however many disks they have.
    private static func weight(diskCount: Int) -> Int { 1 + diskCount / 8 }

    /// How many jobs are remembered.
    var count: Int { places.count }

    /// Where the job of this hash lies. nil: it is not remembered.
    func place(of hash: UInt64) -> Place? { places[hash] }

    /// What is remembered there.
    subscript(place: Place) -> (job: RememberedJob, history: JobHistory) {
        var job = RememberedJob()
        let history = look(at: place, &job)
        return (job, history)
    }

    /// Puts what is remembered there into `job`, whose memory it takes.
    ///
    /// - Returns: where the job's history stands.
    func look(at place: Place, _ job: inout RememberedJob) -> JobHistory {
        shelves[place.shelf].read(place.slot, &job)
    }

    /// Takes over what was committed on the fast way; before anything is forgotten or new.
    mutating func note(_ fast: borrowing FastWay) {
        var firstDisk = 0
        for index in fast.places.indices {
            let place = fast.places[index]
            shelves[place.shelf].put(fast.progress, index, firstDisk: firstDisk, generation, place.slot)
            firstDisk += place.shelf
        }
    }

    /// Takes over what was committed: jobs that go on are remembered, others forgotten.
    ///
    /// - Parameters:
    ///   - changes: the jobs.
    ///   - nowMilliseconds: the monotonic time of this machine.
    /// - Returns: how many of them ran already, and are remembered only now.
    mutating func note(_ changes: [JobChange], nowMilliseconds: Int64) -> Int {
        var strangerCount = 0
        for index in changes.indices {
            let key = LaneSet.hash(changes[index].after.id)
            guard let job = RememberedJob(changes[index].after), job.disks.count <= Self.diskCountMax else {
                forget(key)
                continue
            }
            if note(job, changes[index].history, key, nowMilliseconds),
                changes[index].before?.status == .running
            {
                strangerCount += 1
            }
        }
        return strangerCount
    }

    /// Takes in a job that was read before it was heard of, if there is room and it is not remembered: what a lane has
    /// left is newer.
    mutating func know(_ known: RunningJob) {
        let key = LaneSet.hash(known.id)
        let diskCount = known.job.disks.count
        guard diskCount <= Self.diskCountMax, places[key] == nil,
            weight + Self.weight(diskCount: diskCount) <= countMax
        else { return }
        put(known.job, known.history, key, Self.unheard)
        hasUnheard = true
    }

    /// - Returns: whether it is remembered now and was not before.
    private mutating func note(
        _ job: RememberedJob,
        _ history: JobHistory,
        _ key: UInt64,
        _ now: Int64
    ) -> Bool {
        let shelf = job.disks.count
        if let place = places[key], place.shelf == shelf {
            shelves[shelf].put(job, history, generation, place.slot)
            return false
        }
        let isNew = places[key] == nil
        forget(key)
        let added = Self.weight(diskCount: shelf)
        if weight + added > countMax { makeRoom(now) }
        guard weight + added <= countMax else { return false }
        put(job, history, key, generation)
        return isNew
    }

    /// Puts a job that is not remembered where there is room.
    private mutating func put(
        _ job: RememberedJob,
        _ history: JobHistory,
        _ key: UInt64,
        _ generation: UInt8
    ) {
        let shelf = job.disks.count
        weight += Self.weight(diskCount: shelf)
        let slot = shelves[shelf].take()
        shelves[shelf].put(job, history, generation, slot)
        places[key] = Place(shelf: shelf, slot: slot)
    }

    /// Looks at what jobs turned out to be. Where that is not what is remembered of one in so many, somebody else is at
    /// work on many jobs, and nothing is remembered any more: to find out of each alone would cost a transaction each.
    mutating func compare(_ changes: [JobChange]) {
        var (known, strangers) = (0, 0)
        for change in changes {
            guard let before = change.before, let place = place(of: LaneSet.hash(before.id)) else { continue }
            known += 1
            if RememberedJob(before) != self[place].job { strangers += 1 }
        }
        guard strangers * Self.strangerShare > known else { return }
        self = JobMemory(countMax: countMax)
    }

    /// Forgets jobs whose rows may be others by now.
    mutating func forget(_ items: [LaneItem]) {
        for item in items { forget(item.jobHash) }
    }

    private mutating func forget(_ key: UInt64) {
        guard let place = places.removeValue(forKey: key) else { return }
        shelves[place.shelf].release(place.slot)
        weight -= Self.weight(diskCount: place.shelf)
    }

    /// Drops what has not been heard of since room was made last. Each job that lives is heard of in between, so where
    /// there are more of them than find room, those that came first keep theirs.
    ///
    /// Not for each job that finds no room: to look through all takes longer than to store it.
    private mutating func makeRoom(_ now: Int64) {
        let isDue = roomMilliseconds.map { now - $0 >= Self.roomPauseMilliseconds } ?? true
        guard isDue || hasUnheard else { return }
        hasUnheard = false
        let old = places.filter { _, place in
            let last = shelves[place.shelf].generation(place.slot)
            return last == Self.unheard || isDue && last != generation
        }
        for key in old.keys { forget(key) }
        guard isDue else { return }
        roomMilliseconds = now
        generation = (generation + 1) % Self.unheard
    }
}

/// Jobs with the same number of disks, in slots of four words and three for each disk.
///
///     | attempt, start in s | seq | time of the order key | time of the newest point | bytes | total | disk | …
private struct Shelf {
    private static let chunkSlotCount = 512
    private static let headWordCount = 4
    private static let diskWordCount = 3
    /// Stands for no time.
    private static let none = Int64.min

    private let diskCount: Int
    private var chunks: [[Int64]] = []
    private var slotCount = 0
    private var free: [UInt32] = []

    init(diskCount: Int) {
        self.diskCount = diskCount
    }

    private var wordCount: Int { Self.headWordCount + diskCount * Self.diskWordCount }

    /// A slot that holds nothing.
    mutating func take() -> Int {
        if let slot = free.popLast() { return Int(slot) }
        if slotCount == chunks.count * Self.chunkSlotCount {
            chunks.append([Int64](repeating: 0, count: Self.chunkSlotCount * wordCount))
        }
        slotCount += 1
        return slotCount - 1
    }

    mutating func release(_ slot: Int) { free.append(UInt32(slot)) }

    mutating func put(_ job: RememberedJob, _ history: JobHistory, _ generation: UInt8, _ slot: Int) {
        let at = slot % Self.chunkSlotCount * wordCount
        var words = chunks[slot / Self.chunkSlotCount].mutableSpan
        let start = history.startedMilliseconds.map { $0 / 1000 & 0xFFFF_FFFF } ?? 0
        words[at] = job.attempt << 32 | start
        words[at + 1] = job.seq
        words[at + 2] = job.clockKey?.milliseconds ?? Self.none
        words[at + 3] = history.lastMilliseconds ?? Self.none
        for place in job.disks.indices {
            let disk = job.disks[place]
            let word = at + Self.headWordCount + place * Self.diskWordCount
            words[word] = disk.bytes
            words[word + 1] = disk.total
            words[word + 2] =
                Int64(disk.index) << 32 | Int64(disk.percentHundredths) << 16
                | Int64(Self.statuses.firstIndex(of: disk.status) ?? 0) << 8 | Int64(generation)
        }
    }

    /// Puts in what plain progress changes of the job that is in the slot.
    ///
    /// - Parameters:
    ///   - progress: what was stored.
    ///   - index: which of the jobs there.
    ///   - firstDisk: where its disks begin there.
    ///   - generation: that in which it was heard of.
    ///   - slot: where it is.
    mutating func put(
        _ progress: borrowing JobProgress,
        _ index: Int,
        firstDisk: Int,
        _ generation: UInt8,
        _ slot: Int
    ) {
        let at = slot % Self.chunkSlotCount * wordCount
        var words = chunks[slot / Self.chunkSlotCount].mutableSpan
        words[at + 1] = progress.seq(index)
        words[at + 2] = progress.clockMilliseconds(index) ?? Self.none
        words[at + 3] = progress.historyMilliseconds(index) ?? Self.none
        for place in 0..<diskCount {
            let disk = progress.disk(firstDisk + place)
            let word = at + Self.headWordCount + place * Self.diskWordCount
            words[word] = disk.bytes
            words[word + 2] =
                words[word + 2] & ~0xFFFF_00FF | Int64(disk.percentHundredths) << 16 | Int64(generation)
        }
    }

    func read(_ slot: Int, _ job: inout RememberedJob) -> JobHistory {
        let at = slot % Self.chunkSlotCount * wordCount
        let words = chunks[slot / Self.chunkSlotCount]
        func time(_ word: Int64) -> Int64? { word == Self.none ? nil : word }
        job.attempt = words[at] >> 32
        job.seq = words[at + 1]
        job.clockKey = time(words[at + 2]).map { ClockKey(progressMilliseconds: $0) }
        job.disks.removeAll(keepingCapacity: true)
        for disk in 0..<diskCount {
            let place = at + Self.headWordCount + disk * Self.diskWordCount
            let word = words[place + 2]
            job.disks.append(
                RememberedJob.RememberedDisk(
                    bytes: words[place],
                    total: words[place + 1],
                    index: Int32(truncatingIfNeeded: word >> 32),
                    percentHundredths: Int16(truncatingIfNeeded: word >> 16),
                    status: Self.statuses[Int(word >> 8 & 0xFF)]
                )
            )
        }
        let start = words[at] & 0xFFFF_FFFF
        return JobHistory(
            lastMilliseconds: time(words[at + 3]),
            startedMilliseconds: start == 0 ? nil : start * 1000
        )
    }

    func generation(_ slot: Int) -> UInt8 {
        let at = slot % Self.chunkSlotCount * wordCount + Self.headWordCount + 2
        return UInt8(truncatingIfNeeded: chunks[slot / Self.chunkSlotCount][at])
    }

    private static let statuses = DiskStatus.allCases
}
