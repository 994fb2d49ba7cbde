import Database
import JobModel
import Testing

@testable import Writer

/// How many jobs a lane remembers, and which, where there are more.
@Suite struct JobMemoryTests {
    @Test func `jobs that fell silent give their places to ones that are heard of`() throws {
        var memory = JobMemory(countMax: 4)
        try note(0..<4, &memory, atSecond: 0)
        // The first look for room finds that all were heard of since the beginning.
        try note(4..<5, &memory, atSecond: 10)
        try note(2..<4, &memory, atSecond: 20)
        try note(5..<8, &memory, atSecond: 69)
        #expect(try remembered(0..<8, memory) == [0, 1, 2, 3])
        try note(8..<11, &memory, atSecond: 70)
        #expect(try remembered(0..<11, memory) == [2, 3, 8, 9])
    }

    @Test func `jobs that live keep their places where there are more of them`() throws {
        var memory = JobMemory(countMax: 4)
        for round in 0..<50 { try note(0..<8, &memory, atSecond: Int64(round) * 5) }
        #expect(try remembered(0..<8, memory) == [0, 1, 2, 3])
    }

    /// A look through all jobs for each that finds no room would be 400 million steps here.
    @Test(.timeLimit(.minutes(1)))
    func `jobs that find no room cost no look through all others`() throws {
        var memory = JobMemory(countMax: 20_000)
        try note(0..<40_000, &memory, atSecond: 0)
        #expect(memory.count == 20_000)
    }

    @Test(arguments: [1, 15, 16, 31, 32])
    func `a job comes out as it went in, up to 31 disks`(diskCount: Int) throws {
        var memory = JobMemory(countMax: 12)
        try note(0..<3, &memory, atSecond: 0, diskCount: diskCount)
        #expect(try remembered(0..<3, memory) == (diskCount < 32 ? [0, 1, 2] : []))
        for number in 0..<3 {
            guard let place = memory.place(of: LaneSet.hash(try id(number))) else { continue }
            #expect(try memory[place].job == RememberedJob(job(number, diskCount: diskCount)))
        }
    }

    @Test func `jobs with many disks take the room of several, and give it back`() throws {
        var memory = JobMemory(countMax: 8)
        try note(0..<4, &memory, atSecond: 0, diskCount: 31)
        #expect(try remembered(0..<4, memory) == [0, 1])
        try note(0..<1, &memory, atSecond: 1, diskCount: 32)
        try note(10..<20, &memory, atSecond: 2)
        #expect(try remembered(0..<20, memory) == [1, 10, 11, 12, 13])
    }

    @Test func `what was read ahead takes room that is left, and no place of what a lane has left`() throws {
        var memory = JobMemory(countMax: 4)
        try note(0..<2, &memory, atSecond: 0)
        let kept = try #require(memory.place(of: LaneSet.hash(try id(1))))
        for number in 1..<6 { memory.know(try known(number, bytes: 500)) }
        memory.know(try known(9, bytes: 500, diskCount: 32))
        #expect(try remembered(0..<10, memory) == [0, 1, 2, 3])
        #expect(memory[kept].job == RememberedJob(try job(1, diskCount: 1)))
        let place = try #require(memory.place(of: LaneSet.hash(try id(3))))
        #expect(memory[place].job.disks.map(\.bytes) == [500, 500])
        #expect(memory[place].history.lastMilliseconds == 77)
    }

    @Test func `what was read ahead makes room at once for who is heard of, and others do not`() throws {
        var memory = JobMemory(countMax: 5)
        try note(0..<2, &memory, atSecond: 0)
        for number in 2..<5 { memory.know(try known(number, bytes: 1)) }
        try note(5..<6, &memory, atSecond: 1)
        #expect(try remembered(0..<9, memory) == [0, 1, 5])
        for number in 6..<8 { memory.know(try known(number, bytes: 1)) }
        try note(8..<9, &memory, atSecond: 2)
        #expect(try remembered(0..<9, memory) == [0, 1, 5, 8])
    }

    @Test func `jobs that ran and were not known are counted, others not`() throws {
        var memory = JobMemory(countMax: 3)
        let ran = try (0..<4).map {
            JobChange(before: try job($0, diskCount: 2), after: try job($0, diskCount: 2))
        }
        let new = try (4..<6).map { JobChange(before: nil, after: try job($0, diskCount: 2)) }
        #expect(memory.note([ran[0], new[0]], nowMilliseconds: 0) == 1)
        #expect(memory.note([ran[0], ran[1]], nowMilliseconds: 0) == 1)
        // There is no room for these.
        #expect(memory.note([ran[2], ran[3], new[1]], nowMilliseconds: 0) == 0)
    }

    private func known(_ number: Int, bytes: Int64, diskCount: Int = 2) throws -> RunningJob {
        var job = try job(number, diskCount: diskCount)
        for disk in job.disks.indices { job.disks[disk].bytes = bytes }
        job.bytes = Int64(diskCount) * bytes
        return RunningJob(
            id: job.id,
            job: try #require(RememberedJob(job)),
            history: JobHistory(lastMilliseconds: 77)
        )
    }

    private func remembered(_ numbers: Range<Int>, _ memory: JobMemory) throws -> [Int] {
        try numbers.filter { memory.place(of: LaneSet.hash(try id($0))) != nil }
    }

    private func id(_ number: Int) throws -> JobID { try #require(JobID("job-\(number)")) }

    private func job(_ number: Int, diskCount: Int) throws -> Job {
        Job(
            id: try id(number),
            vmName: "vm",
            backupType: .full,
            status: .running,
            bytes: Int64(diskCount) * Int64(number),
            total: Int64(diskCount) * 1000,
            hasTelemetry: true,
            attempt: 1,
            disks: (0..<diskCount).map { disk in
                Disk(index: Int32(disk), status: .transferring, bytes: Int64(number), total: 1000)
            }
        )
    }

    private func note(
        _ numbers: Range<Int>,
        _ memory: inout JobMemory,
        atSecond second: Int64,
        diskCount: Int = 1
    ) throws {
        var changes: [JobChange] = []
        for number in numbers {
            let job = try job(number, diskCount: diskCount)
            changes.append(JobChange(before: job, after: job, contactAgeMilliseconds: 0, events: []))
        }
        _ = memory.note(changes, nowMilliseconds: second * 1000)
    }
}
