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

    private func remembered(_ numbers: Range<Int>, _ memory: JobMemory) throws -> [Int] {
        try numbers.filter { memory.place(of: LaneSet.hash(try id($0))) != nil }
    }

    private func id(_ number: Int) throws -> JobID { try #require(JobID("job-\(number)")) }

    private func note(_ numbers: Range<Int>, _ memory: inout JobMemory, atSecond second: Int64) throws {
        var changes: [JobChange] = []
        for number in numbers {
            let job = Job(
                id: try id(number),
                vmName: "vm",
                backupType: .full,
                status: .running,
                total: 1000,
                hasTelemetry: true,
                attempt: 1,
                disks: [Disk(index: 0, status: .transferring, total: 1000)]
            )
            changes.append(JobChange(before: job, after: job, contactAgeMilliseconds: 0, events: []))
        }
        memory.note(changes, nowMilliseconds: second * 1000)
    }
}
