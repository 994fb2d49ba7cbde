import Foundation
import JobModel
import Logging
import ServiceKit
import TestSupport
import Testing
import Threading

@testable import Ingest

/// What becomes of entries where the outbox's file is damaged, or cannot be used for a while.
@Suite struct OutboxDamageTests {
    private static let plenty: Int64 = 64 << 20

    /// A folder of a test's own, gone with it.
    private final class Folder {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("outbox-\(UUID().uuidString)").path

        init() throws {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func names() throws -> Set<String> {
            Set(try FileManager.default.contentsOfDirectory(atPath: path))
        }
    }

    private static func job(_ number: Int) -> JobID { JobID.known("job-\(number)") }

    private static func completion(_ number: Int, changeID: String = "c") -> JobMessage {
        .completion(DiskCompletion(jobID: job(number), diskIndex: 0, changeID: changeID, bytes: 0))
    }

    private static func shelf(_ path: String, byteCountMax: Int64 = plenty) -> OutboxShelf {
        OutboxShelf(
            OutboxSettings(path: path, byteCountMax: byteCountMax),
            OutboxCounters(),
            health: Health(waitingFor: []),
            logger: Logger(label: "test")
        )
    }

    /// A closed file with entries of `count` jobs, from 0.
    private static func makeFile(_ path: String, count: Int, changeID: String = "c") throws {
        let file = try OutboxFile(path: path, byteCountMax: plenty)
        try file.write { transaction in
            for number in 0..<count {
                let message = completion(number, changeID: changeID)
                _ = try transaction.append(message, receivedMilliseconds: 0)
            }
        }
        try file.close()
    }

    /// Flips one bit in the message of one job.
    private static func damage(_ path: String, job: String) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let place = try #require(bytes.range(of: Data(job.utf8)))
        bytes[place.lowerBound] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    private static func numbers(_ order: OutboxOrder) -> [Int] {
        order.jobs.compactMap { Int($0.rawValue.dropFirst("job-".count)) }.sorted()
    }

    @Test func `one damaged message costs itself alone`() throws {
        let folder = try Folder()
        let path = folder.path + "/outbox.sqlite"
        try Self.makeFile(path, count: 300)
        try Self.damage(path, job: "job-150")
        var shelf = Self.shelf(path)
        shelf.open()
        #expect(Self.numbers(shelf.order) == Array(0..<150) + Array(151..<300))
        #expect(try folder.names().contains { $0.hasPrefix("outbox.sqlite.damaged-") })
        let sent = shelf.next(countMax: 1000, nowMilliseconds: 0)
        #expect(sent.entries.count == 299 && sent.damaged.isEmpty)
    }

    @Test func `a file that has lost its end keeps what is before it`() throws {
        let folder = try Folder()
        let path = folder.path + "/outbox.sqlite"
        try Self.makeFile(path, count: 300)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        try bytes.dropLast(4096).write(to: URL(fileURLWithPath: path))
        var shelf = Self.shelf(path)
        shelf.open()
        let saved = Self.numbers(shelf.order)
        #expect(saved.count >= 250 && saved == Array(0..<saved.count), "\(saved.count)")
    }

    @Test func `a damaged beginning of the file hides nothing`() throws {
        let folder = try Folder()
        let path = folder.path + "/outbox.sqlite"
        try Self.makeFile(path, count: 50)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[3] ^= 4
        try bytes.write(to: URL(fileURLWithPath: path))
        var shelf = Self.shelf(path)
        shelf.open()
        #expect(Self.numbers(shelf.order) == Array(0..<50))
    }

    @Test func `a lower limit does not cost what was saved from a larger file`() throws {
        let folder = try Folder()
        let path = folder.path + "/outbox.sqlite"
        try Self.makeFile(path, count: 2000)
        try Self.damage(path, job: "job-1000")
        var shelf = Self.shelf(path, byteCountMax: 1 << 16)
        shelf.open()
        #expect(shelf.order.entryCount == 1999)
        // With the shelf its file is closed.
        shelf = Self.shelf(path, byteCountMax: 1 << 16)
        shelf.open()
        #expect(shelf.order.entryCount == 1999, "also in the next run")
    }

    @Test func `while there can be no new file the damaged one stays, and is saved later`() throws {
        let folder = try Folder()
        // The names of the new file and of the copy with their logs are too long for a file system, then.
        let path = folder.path + "/" + String(repeating: "o", count: 247)
        try Self.makeFile(path, count: 300)
        try Self.damage(path, job: "job-150")
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        var shelf = Self.shelf(path)
        shelf.open()
        #expect(shelf.state == .closed)
        let isKept = shelf.store([(Self.completion(7), 0)], ended: [], nowMilliseconds: 0)
        #expect(!isKept)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        #expect(try folder.names().count == 1)

        let usable = folder.path + "/outbox.sqlite"
        try FileManager.default.moveItem(atPath: path, toPath: usable)
        shelf = Self.shelf(usable)
        shelf.open()
        #expect(shelf.state == .open(1) && shelf.order.entryCount == 299)
    }

    @Test(arguments: ["while it filled the new file", "before the new one took its place"])
    func `a run that ended while it saved costs nothing`(end: String) throws {
        let folder = try Folder()
        let path = folder.path + "/outbox.sqlite"
        try Self.makeFile(path, count: 300)
        if end.hasPrefix("while") {
            try Self.damage(path, job: "job-299")
            try Data("half a file".utf8).write(to: URL(fileURLWithPath: path + ".new"))
            try Data("half a copy".utf8).write(to: URL(fileURLWithPath: path + ".salvage"))
        } else {
            try FileManager.default.moveItem(atPath: path, toPath: path + ".renewed")
            try Self.makeFile(path + ".damaged-1", count: 3)
        }
        var shelf = Self.shelf(path)
        shelf.open()
        #expect(Self.numbers(shelf.order).starts(with: 0..<299))
        let names = try folder.names()
        #expect(
            !names.contains { $0.hasSuffix(".new") || $0.hasSuffix(".salvage") || $0.hasSuffix(".renewed") },
            "\(names)"
        )
    }

    @Test func `what is done does not come again where removing it finds the damage`() throws {
        let folder = try Folder()
        let path = folder.path + "/outbox.sqlite"
        // More than SQLite keeps in memory, so that it has to read again.
        let count = 5000
        try Self.makeFile(path, count: count, changeID: String(repeating: "c", count: 500))
        var shelf = Self.shelf(path)
        shelf.open()
        #expect(shelf.order.entryCount == count)
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: 4096 * 10)
        try handle.write(contentsOf: Data(count: 4096 * 20))
        try handle.close()
        // Ids begin with 1. The damage is where job 0 is; the last one can be read.
        let ended = (0..<200).map { (Self.job($0), Int64($0 + 1)) } + [(Self.job(count - 1), Int64(count))]
        let isKept = shelf.store(
            [(Self.completion(count), 0)],
            ended: ended.map { (job: $0.0, id: $0.1) },
            nowMilliseconds: 0
        )
        #expect(isKept && shelf.state == .open(2))
        #expect(!shelf.order.holds(Self.job(count - 1)), "it is stored")
        #expect(shelf.order.holds(Self.job(count - 2)) && shelf.order.holds(Self.job(count)))
        let sent = shelf.next(countMax: count, nowMilliseconds: 0)
        #expect(sent.damaged.isEmpty && sent.entries.count == shelf.order.entryCount)
    }

    @Test func `nothing takes the place of an entry that is gone`() throws {
        let folder = try Folder()
        let file = try OutboxFile(path: folder.path + "/outbox.sqlite", byteCountMax: Self.plenty)
        try file.write { transaction in
            #expect(throws: OutboxFile.EntryGone.self) {
                try transaction.replace(7, Self.completion(1), receivedMilliseconds: 0)
            }
            let id = try transaction.append(Self.completion(1), receivedMilliseconds: 0)
            try transaction.replace(id, Self.completion(2), receivedMilliseconds: 0)
        }
        #expect(try file.contents().entries.map(\.message) == [Self.completion(2)])
    }

    @Test func `an entry of an earlier boot has its age by the wall clock`() throws {
        let folder = try Folder()
        let path = folder.path + "/outbox.sqlite"
        let earlier = OutboxTime(
            bootID: "earlier",
            monotonicMilliseconds: { 9_000_000_000 },
            wallMilliseconds: { 1_000_000 }
        )
        var file = try OutboxFile(path: path, byteCountMax: Self.plenty, time: earlier)
        try file.write { _ = try $0.append(Self.completion(1), receivedMilliseconds: 9_000_000_000 - 500) }
        #expect(try file.contents().entries.first?.receivedMilliseconds == 8_999_999_500)
        try file.close()
        let now = OutboxTime(
            bootID: "now",
            monotonicMilliseconds: { 2000 },
            wallMilliseconds: { 1_060_000 }
        )
        file = try OutboxFile(path: path, byteCountMax: Self.plenty, time: now)
        #expect(try file.contents().entries.first?.receivedMilliseconds == 2000 - 60_500)
    }

    @Test func `a file that is locked at the start is used once it is free, and what it holds goes first`()
        async throws
    {
        let folder = try Folder()
        let path = folder.path + "/outbox.sqlite"
        try Self.makeFile(path, count: 3)
        var other: OutboxFile? = try OutboxFile(path: path, byteCountMax: Self.plenty)
        let way = OutboxWay(isStoring: { false }, publish: { $2(Answer(.unavailable)) }, backlog: { _ in })
        let outbox = Outbox(
            OutboxSettings(path: path, byteCountMax: Self.plenty),
            way,
            health: Health(waitingFor: []),
            logger: Logger(label: "test")
        )
        #expect(outbox.holds(Self.job(1)) && outbox.holds(Self.job(9)), "it is not known yet")
        let service = outbox.service()
        let task = Task { try await service.run() }
        let isFree = await eventually { !outbox.holds(Self.job(1)) }
        #expect(isFree, "writers serve its clients")
        try other?.close()
        other = nil
        let isRead = await eventually { outbox.holds(Self.job(1)) }
        #expect(isRead && outbox.holds(Self.job(2)) && !outbox.holds(Self.job(9)))
        outbox.stop()
        try await task.value
    }

    private func eventually(_ condition: () -> Bool) async -> Bool {
        for _ in 0..<600 {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}
