import Foundation
import JobModel
import Logging
import ServiceKit
import Synchronization
import TestSupport
import Testing
import Threading

@testable import Ingest

/// The outbox on a real file, with a way to the writers that the test opens and closes.
@Suite struct OutboxTests {
    /// The rest of the ingest, as the outbox sees it.
    private final class Way: Sendable {
        let isOpen = Atomic<Bool>(false)
        let delivered = Mutex<[(message: JobMessage, receivedMilliseconds: Int64)]>([])
        let backlog = Mutex<Int64?>(nil)
        let verdict = Mutex(Verdict.applied)

        var way: OutboxWay {
            OutboxWay(
                isStoring: { self.isOpen.load(ordering: .relaxed) },
                publish: { message, received, reply in
                    guard self.isOpen.load(ordering: .relaxed) else { return reply(Answer(.unavailable)) }
                    self.delivered.withLock { $0.append((message, received)) }
                    reply(Answer(self.verdict.withLock { $0 }))
                },
                backlog: { since in self.backlog.withLock { $0 = since } }
            )
        }
    }

    /// A running outbox; its thread ends with `stop`.
    private final class Running: Sendable {
        let outbox: Outbox
        let health = Health(waitingFor: [])
        private let task: Task<Void, any Error>

        init(_ path: String, _ way: Way, byteCountMax: Int64 = 64 << 20) {
            let settings = OutboxSettings(path: path, byteCountMax: byteCountMax)
            let outbox = Outbox(settings, way.way, health: health, logger: Logger(label: "test"))
            self.outbox = outbox
            let service = outbox.service()
            task = Task { try await service.run() }
        }

        func accept(
            _ message: JobMessage,
            at milliseconds: Int64 = MonotonicClock.nowMilliseconds
        ) async -> Bool {
            await withCheckedContinuation { continuation in
                outbox.accept(message, receivedMilliseconds: milliseconds) {
                    continuation.resume(returning: $0)
                }
            }
        }

        func stop() async throws {
            outbox.stop()
            try await task.value
        }
    }

    private static func folder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "outbox-\(UUID().uuidString)"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder.path
    }

    private static func progress(_ job: Int, bytes: Int64) -> JobMessage {
        .report(
            Report(
                jobID: JobID.known("job-\(job)"),
                status: .running,
                phase: "transferring",
                bytes: bytes,
                total: 1_000_000,
                timestampMilliseconds: bytes
            )
        )
    }

    private static func completion(_ job: Int) -> JobMessage {
        .completion(DiskCompletion(jobID: JobID.known("job-\(job)"), diskIndex: 0, changeID: "c", bytes: 0))
    }

    private static func eventually(_ condition: () throws -> Bool) async rethrows -> Bool {
        for _ in 0..<400 {
            if try condition() { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    @Test func `until the file is read every job's next message waits: it may be behind others`() async throws
    {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let job = Self.completion(1).jobID
        let way = Way()
        let settings = OutboxSettings(path: folder + "/outbox.sqlite", byteCountMax: 64 << 20)
        let outbox = Outbox(
            settings,
            way.way,
            health: Health(waitingFor: []),
            logger: Logger(label: "test")
        )
        #expect(outbox.holds(job))
        let service = outbox.service()
        let task = Task { try await service.run() }
        #expect(await Self.eventually { !outbox.holds(job) })
        outbox.stop()
        try await task.value
    }

    @Test func `what is accepted survives the process, and goes out in order with its own time`() async throws
    {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/below/outbox.sqlite"
        let way = Way()
        let first = Running(path, way)
        let before = MonotonicClock.nowMilliseconds - 5000
        for bytes in 1...20 as ClosedRange<Int64> {
            #expect(await first.accept(Self.progress(1, bytes: bytes), at: before + bytes))
        }
        #expect(await first.accept(Self.completion(1)))
        #expect(await first.accept(Self.progress(2, bytes: 7)))
        #expect(first.outbox.holds(JobID.known("job-1")) && !first.outbox.holds(JobID.known("job-3")))
        #expect(await Self.eventually { way.backlog.withLock { $0 } != nil })
        try await first.stop()
        #expect(way.delivered.withLock { $0.isEmpty })

        let second = Running(path, way)
        #expect(await Self.eventually { second.outbox.holds(JobID.known("job-1")) })
        way.isOpen.store(true, ordering: .relaxed)
        #expect(
            await Self.eventually {
                !second.outbox.holds(JobID.known("job-1")) && !second.outbox.holds(JobID.known("job-2"))
            }
        )
        let delivered = way.delivered.withLock { $0 }
        #expect(
            delivered.filter { $0.message.jobID.rawValue == "job-1" }.map(\.message) == [
                Self.progress(1, bytes: 20), Self.completion(1),
            ]
        )
        #expect(
            delivered.first { $0.message == Self.progress(1, bytes: 20) }?.receivedMilliseconds == before + 20
        )
        #expect(await Self.eventually { way.backlog.withLock { $0 } == nil })
        try await second.stop()

        let third = Running(path, way)
        #expect(await third.accept(Self.completion(9)))
        #expect(await Self.eventually { !third.outbox.holds(JobID.known("job-9")) })
        #expect(
            way.delivered.withLock { $0.count } == delivered.count + 1,
            "what is done does not come again"
        )
        try await third.stop()
    }

    @Test(arguments: UInt64(0)..<24)
    func `a damaged file never keeps it from starting, and what can be read goes on`(
        seed: UInt64
    ) async throws {
        var generator = SplitMix64(seed: seed)
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/outbox.sqlite"
        let way = Way()
        let first = Running(path, way)
        var told: Set<String> = []
        for job in 0..<200 {
            #expect(await first.accept(Self.completion(job)))
            told.insert("job-\(job)")
        }
        try await first.stop()

        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        if seed.isMultiple(of: 2) {
            bytes.removeLast(Int.random(in: 1..<bytes.count, using: &generator))
        } else {
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^=
                    UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
            }
        }
        try Data(bytes).write(to: URL(fileURLWithPath: path))

        way.isOpen.store(true, ordering: .relaxed)
        let second = Running(path, way)
        #expect(await second.accept(Self.completion(1000)), "seed \(seed)")
        #expect(
            await Self.eventually {
                way.delivered.withLock { $0.contains { $0.message == Self.completion(1000) } }
            }
        )
        #expect(await Self.eventually { way.backlog.withLock { $0 } == nil }, "seed \(seed)")
        let delivered = way.delivered.withLock { $0.map(\.message) }
        for message in delivered {
            let number = Int(message.jobID.rawValue.dropFirst(4))
            #expect(number.map { message == Self.completion($0) } == true, "seed \(seed): \(message)")
        }
        #expect(Set(delivered.map(\.jobID.rawValue)).count == delivered.count, "seed \(seed): nothing twice")
        if delivered.count < 201 {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.contains { $0.contains(".damaged-") }, "seed \(seed): kept for a look")
        }
        try await second.stop()
    }

    @Test func `a full file turns messages away, and takes them again once it has room`() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let way = Way()
        let running = Running(folder + "/outbox.sqlite", way, byteCountMax: 1 << 16)
        var kept = 0
        while kept < 100_000, await running.accept(Self.completion(kept)) { kept += 1 }
        #expect((20..<2000).contains(kept), "\(kept)")
        #expect(running.health.remarks.contains { $0.hasPrefix("outbox: ") })
        #expect(!running.outbox.holds(JobID.known("job-\(kept)")), "what was turned away holds up nothing")
        way.isOpen.store(true, ordering: .relaxed)
        #expect(await Self.eventually { way.delivered.withLock { $0.count } == kept })
        way.isOpen.store(false, ordering: .relaxed)
        #expect(await running.accept(Self.completion(kept)))
        #expect(running.health.remarks.isEmpty)
        try await running.stop()
    }

    @Test func `a second ingest with the same file does without, and says so`() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let way = Way()
        let first = Running(folder + "/outbox.sqlite", way)
        #expect(await first.accept(Self.completion(1)))
        let second = Running(folder + "/outbox.sqlite", way)
        #expect(await !second.accept(Self.completion(2)))
        #expect(second.health.remarks.contains { $0.contains("cannot be used") })
        try await second.stop()
        try await first.stop()
    }

    @Test func `what the rules refuse is done with, too`() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let way = Way()
        way.verdict.withLock { $0 = .unknownJob }
        let running = Running(folder + "/outbox.sqlite", way)
        #expect(await running.accept(Self.completion(1)))
        #expect(await running.accept(Self.progress(1, bytes: 1)))
        way.isOpen.store(true, ordering: .relaxed)
        #expect(await Self.eventually { way.delivered.withLock { $0.count } == 2 })
        #expect(await Self.eventually { !running.outbox.holds(JobID.known("job-1")) })
        try await running.stop()
    }
}
