import JobModel
import Logging
import MessageBus
import ServiceKit
import ServiceLifecycle
import TestSupport
import Testing
import Threading
import Wire

@testable import Ingest

/// A link whose long rest never ends by itself, at a writer that answers when it is told to.
@Suite struct WriterLinkTests {
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test(.timeLimit(.minutes(3)))
    func `few messages wait for the rest of the link to end, so many that they are company do not`()
        async throws
    {
        var peer = try Peer()
        let link = Self.link(to: peer.router.endpoint)
        let group = ServiceGroup(services: [link.service(number: 0)], logger: Self.logger)
        async let end: Void = group.run()

        Self.publish(1, on: link)
        let first = try await peer.take(milliseconds: 40_000)
        #expect(first == 1)
        // It rests: one less than company waits.
        for number in 1..<WriterLink.companyCount { Self.publish(Int64(number), on: link) }
        let few = try await peer.take(milliseconds: 300)
        #expect(few == 0)
        Self.publish(1, on: link)
        let company = try await peer.take(milliseconds: 40_000)
        #expect(company == WriterLink.companyCount)
        // After so many it does not rest for long.
        Self.publish(1, on: link)
        let next = try await peer.take(milliseconds: 40_000)
        #expect(next == 1)

        // Once all is answered a rest is over.
        Self.publish(1, on: link)
        try peer.answer()
        let last = try await peer.take(milliseconds: 40_000)
        #expect(last == 1)
        try peer.answer()
        await group.triggerGracefulShutdown()
        try await end
    }

    private static func link(to endpoint: String) -> WriterLink {
        let desk = PublisherDesk(
            timeoutMilliseconds: 600_000,
            gapMilliseconds: 600_000,
            countMax: 1000,
            health: Health(waitingFor: []),
            logger: logger,
            nowMilliseconds: MonotonicClock.nowMilliseconds
        )
        return WriterLink(
            endpoint: endpoint,
            ingest: "ingest",
            runID: Array(repeating: 7, count: 16),
            timeoutMilliseconds: 600_000,
            longRestMilliseconds: 300_000,
            desk: desk,
            logger: logger
        )
    }

    private static func publish(_ number: Int64, on link: WriterLink) {
        let now = MonotonicClock.nowMilliseconds
        let report = Report(
            jobID: JobID.known("job-\(number)"),
            status: .running,
            phase: "transferring",
            bytes: number,
            total: 1_000_000,
            timestampMilliseconds: number
        )
        link.publish(.report(report), receivedMilliseconds: now, nowMilliseconds: now) { _ in }
        link.send()
    }

    /// A writer, as far as a link sees it.
    private struct Peer: ~Copyable {
        let router: RouterSocket
        private var link: [UInt8] = []
        private var open: [UInt64] = []

        init() throws { router = try RouterSocket(BusContext(), bind: "tcp://127.0.0.1:*") }

        /// How many messages come together next; 0 if none come in time. It gives up its thread while it waits: the link
        /// needs one to be started.
        mutating func take(milliseconds: Int64) async throws -> Int {
            let end = MonotonicClock.nowMilliseconds + milliseconds
            while MonotonicClock.nowMilliseconds < end {
                while let frame = try router.receive() {
                    link = frame.sender
                    let batch = try EnvelopeBatch(decoding: frame.bytes)
                    open += batch.envelopes.map(\.messageID)
                    if !batch.envelopes.isEmpty { return batch.envelopes.count }
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            return 0
        }

        /// Answers all that has come.
        mutating func answer() throws {
            let answers = open.map { AnswerEnvelope(messageID: $0, answer: Answer(.applied)) }
            open = []
            let isSent = try router.send(AnswerBatch(answers: answers).encoded(), to: link)
            #expect(isSent)
        }
    }
}
