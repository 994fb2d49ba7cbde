import Glibc
import JobModel
import Logging
import MessageBus
import ServiceKit
import ServiceLifecycle
import TestSupport
import Testing
import Threading
import Wire

@testable import Writer

/// Messages come to the lanes by the batch; each is taken or refused as if it came alone.
@Suite struct FullLaneTests {
    private static func lane(queue: Int, _ lanes: LaneSet, _ bind: String) async throws -> Lane {
        let arguments = ["--writer-queue", "\(queue)", "--writer-bind", bind]
        let known = try await Settings(WriterSettings.declared, arguments: arguments, environment: [:])
        let settings = try WriterSettings(known)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let migrated = Latch()
        return Lane(
            number: 0,
            settings: settings,
            health: Health(waitingFor: []),
            logger: logger,
            migrated: migrated,
            readAhead: ReadAhead(settings.database, lanes: lanes, migrated: migrated, logger: logger)
        ) { _ in }
    }

    private static func message(isUrgent: Bool) throws -> JobMessage {
        let id = try #require(JobID("a"))
        return .report(
            Report(jobID: id, status: isUrgent ? .completed : .running, phase: "", bytes: 1, total: nil)
        )
    }

    private static func item(_ number: Int, isUrgent: Bool) throws -> LaneItem {
        LaneItem(
            sender: [1],
            messageID: UInt64(number),
            message: try message(isUrgent: isUrgent),
            receivedMilliseconds: 0
        )
    }

    @Test func `progress leaves the last quarter to what comes once`() async throws {
        let lane = try await Self.lane(queue: 8, LaneSet(), "ipc://x")
        let urgent: Set = [6, 10, 11, 12]
        let items = try (1...12).map { try Self.item($0, isUrgent: urgent.contains($0)) }
        #expect(lane.put(items.map { .message($0) }).map(\.messageID) == [7, 8, 9, 12])
    }

    @Test(arguments: UInt64(0)..<50)
    func `of a batch are refused those that would be refused one by one`(seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        let count = Int.random(in: 1...40, using: &generator)
        let items = try (0..<count).map {
            try Self.item($0, isUrgent: Bool.random(using: &generator))
        }
        let (whole, single) = (
            try await Self.lane(queue: 16, LaneSet(), "ipc://x"),
            try await Self.lane(queue: 16, LaneSet(), "ipc://x")
        )
        let cut = Int.random(in: 0...count, using: &generator)
        let work = items.map { LaneWork.message($0) }
        let refused = whole.put(Array(work[..<cut])) + whole.put(Array(work[cut...]))
        #expect(
            refused.map(\.messageID) == work.flatMap { single.put([$0]) }.map(\.messageID),
            "seed \(seed)"
        )
    }

    @Test func `without lanes nothing is taken`() throws {
        let items = try (1...3).map { try Self.item($0, isUrgent: true) }
        #expect(LaneSet().put(items).map(\.messageID) == [1, 2, 3])
    }

    @Test(.timeLimit(.minutes(1)))
    func `each message that a full lane refuses is answered as unavailable, and the others are not`()
        async throws
    {
        let socket = "/tmp/sendense-full-lane-\(UInt64.random(in: 0 ... .max))"
        defer { unsafe unlink(socket) }
        let endpoint = "ipc://\(socket)"
        let lanes = LaneSet()
        lanes.open([try await Self.lane(queue: 4, lanes, endpoint)])
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let receiver = Receiver(
            endpoint: endpoint,
            health: Health(waitingFor: []),
            logger: logger,
            lanes: lanes
        )
        let group = ServiceGroup(services: [receiver.service()], logger: logger)
        async let end: Void = group.run()
        let dealer = try DealerSocket(BusContext(), connect: [endpoint])
        let envelopes = try (1...6).map {
            Envelope(
                messageID: $0,
                ageMilliseconds: 0,
                message: try Self.message(isUrgent: $0 == 6)
            )
        }
        let frame = try EnvelopeBatch(sender: [1], envelopes: envelopes).encoded()
        while try !dealer.send(frame) { Pause.milliseconds(10) }
        var answer: [UInt8]?
        while answer == nil {
            dealer.wait(milliseconds: 10)
            answer = try dealer.receive()
        }
        let answers = try AnswerBatch(decoding: try #require(answer)).answers
        #expect(answers.map(\.messageID) == [4, 5])
        #expect(answers.allSatisfy { $0.answer.verdict == .unavailable && !$0.answer.detail.isEmpty })
        await group.triggerGracefulShutdown()
        try await end
    }
}
