import JobModel
import Logging
import MessageBus
import Metrics
import ServiceKit
import ServiceLifecycle
import Synchronization
import Threading
import Wire

/// Owns the ROUTER socket on a thread of its own: envelopes in and to the lanes, answers out.
final class Receiver: Sendable {
    /// The most answers in one ZeroMQ message.
    private static let batchCountMax = 512

    private let endpoint: String
    private let health: Health
    private let logger: Logger
    private let outbox = Mutex<[AnswerGroup]>([])
    private let wakeup = Wakeup()
    private let isStopping = Atomic<Bool>(false)
    private let lanes: LaneSet

    private let received = Counter(label: "sendense_writer_messages_received_total")
    private let malformed = Counter(label: "sendense_writer_batches_malformed_total")
    private let shed = Counter(label: "sendense_writer_messages_shed_total")
    private let undelivered = Counter(label: "sendense_writer_answers_undelivered_total")

    /// Creates the receiver.
    ///
    /// - Parameters:
    ///   - endpoint: where ingests connect to.
    ///   - health: the writer's health.
    ///   - logger: the writer's logger.
    ///   - lanes: where messages and beats go.
    init(
        endpoint: String,
        health: Health,
        logger: Logger,
        lanes: LaneSet
    ) {
        self.endpoint = endpoint
        self.health = health
        self.logger = logger
        self.lanes = lanes
    }

    /// Sends answers to whom they belong; from any thread.
    func answer(_ groups: [AnswerGroup]) {
        outbox.withLock { $0 += groups }
        wakeup.signal()
    }

    /// The receiver as a service.
    ///
    /// - Throws: `SettingsError` while running, if the endpoint cannot be bound.
    func service() -> ReceiverService { ReceiverService(receiver: self) }

    fileprivate func stop() {
        isStopping.store(true, ordering: .relaxed)
        wakeup.signal()
    }

    fileprivate func run() throws(BusError) {
        let context = BusContext()
        let socket = try RouterSocket(context, bind: endpoint)
        logger.info("waiting for ingests", metadata: ["endpoint": "\(socket.endpoint)"])
        health.ready("bus")
        while true {
            wakeup.clear()
            let isLast = isStopping.load(ordering: .relaxed)
            try send(socket)
            try receive(socket)
            if isLast {
                try send(socket)
                // Closing drops what is not on the wire yet; the last answers get a moment to get there.
                socket.wait(or: wakeup, milliseconds: 50)
                return
            }
            socket.wait(or: wakeup, milliseconds: 500)
        }
    }

    private func receive(_ socket: borrowing RouterSocket) throws(BusError) {
        // Answers wait while messages are taken in, so a flood is taken in portions.
        for _ in 0..<64 {
            guard let frame = try socket.receive() else { return }
            let batch: EnvelopeBatch
            do {
                batch = try EnvelopeBatch(decoding: frame.bytes)
            } catch {
                malformed.increment()
                logger.warning("a batch could not be read", metadata: ["error": "\(error)"])
                continue
            }
            take(batch, from: frame.sender)
            // An ingest that has nothing to say asks whether we live.
            if batch.envelopes.isEmpty, batch.refused.isEmpty, batch.beats.isEmpty {
                try send([], to: frame.sender, socket)
            }
        }
        wakeup.signal()
    }

    private func take(_ batch: EnvelopeBatch, from sender: [UInt8]) {
        let now = MonotonicClock.nowMilliseconds
        received.increment(by: batch.envelopes.count)
        var refusals = AnswerGroup(sender: sender)
        let items = batch.envelopes.map { envelope in
            LaneItem(
                sender: sender,
                messageID: envelope.messageID,
                message: envelope.message,
                receivedMilliseconds: now - Int64(envelope.ageMilliseconds)
            )
        }
        for item in lanes.put(items) {
            shed.increment()
            let answer = Answer(.unavailable, detail: "The writer has too much to do; try again.")
            refusals.append(answer, to: item.messageID)
        }
        for refused in batch.refused {
            // A newer writer will understand it: while services are deployed one by one, a retry is worth it.
            refusals.append(Answer(.unavailable, detail: refused.reason), to: refused.messageID)
        }
        for beat in batch.beats {
            let receivedMilliseconds = now - Int64(beat.ageMilliseconds)
            guard !lanes.put(beat, from: sender, receivedMilliseconds: receivedMilliseconds) else {
                continue
            }
            let answer = Answer(.unavailable, detail: "The writer takes nothing now.")
            refusals.append(answer, to: beat.messageID)
        }
        if !refusals.answers.isEmpty { answer([refusals]) }
    }

    private func send(_ socket: borrowing RouterSocket) throws(BusError) {
        let groups = outbox.withLock { outbox in
            var taken: [AnswerGroup] = []
            swap(&taken, &outbox)
            return taken
        }
        for group in groups {
            for start in stride(from: 0, to: group.answers.count, by: Self.batchCountMax) {
                let part = group.answers[start..<min(start + Self.batchCountMax, group.answers.count)]
                try send(Array(part), to: group.sender, socket)
            }
        }
    }

    private func send(
        _ answers: [AnswerEnvelope],
        to sender: [UInt8],
        _ socket: borrowing RouterSocket
    ) throws(BusError) {
        do throws(BusError) {
            guard try !socket.send(AnswerBatch(answers: answers).encoded(), to: sender) else { return }
        } catch {
            guard error.code == .unreachable else { throw error }
            // The ingest is gone: its client was or will be told to try again.
            logger.debug("answers could not be delivered", metadata: ["error": "\(error)"])
        }
        undelivered.increment(by: answers.count)
    }
}

/// Runs the receiver on its thread, and ends with its error.
struct ReceiverService: Service {
    fileprivate let receiver: Receiver

    func run() async throws {
        let failure = Mutex<BusError?>(nil)
        let thread = DedicatedThread(name: "receiver") {
            do throws(BusError) {
                try receiver.run()
            } catch {
                failure.withLock { $0 = error }
            }
        }
        await withGracefulShutdownHandler {
            await thread.ended()
        } onGracefulShutdown: {
            receiver.stop()
        }
        if let error = failure.withLock({ $0 }) {
            throw SettingsError("--writer-bind (SENDENSE_WRITER_BIND): \(error)")
        }
    }
}
