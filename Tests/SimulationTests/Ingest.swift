import JobModel
import Logging
import ServiceKit

@testable import Ingest

/// An ingest: door, courier, desk, links and outbox. A kill takes all but the outbox's file.
///
/// Unchecked: see `Scheduler`.
final class SimulatedIngest: @unchecked Sendable {
    let name: String
    unowned let world: World
    let file = OutboxStorage()
    private(set) var isUp = false
    private(set) var isStopping = false
    /// Counts its runs.
    private(set) var run = 0
    private(set) var links: [SimulatedLink] = []
    private(set) var outbox: SimulatedOutbox?
    private var desk: PublisherDesk?
    private var courier: Courier?
    var pausedUntil: Int64 = 0
    /// Since when nobody can reach it. nil: it is there.
    private(set) var awaySince: Int64? = 0
    private(set) var hasSignedOff = false

    private static let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }

    init(_ name: String, _ world: World) {
        self.name = name
        self.world = world
    }

    var isPaused: Bool { world.scheduler.now < pausedUntil }
    private var scheduler: Scheduler { world.scheduler }

    func start() {
        guard !isUp else { return }
        scheduler.trace("\(name) starts")
        run += 1
        isUp = true
        isStopping = false
        hasSignedOff = false
        awaySince = nil
        let desk = PublisherDesk(
            timeoutMilliseconds: Plan.ackTimeoutMilliseconds,
            gapMilliseconds: Plan.gapMilliseconds,
            countMax: world.plan.windowCountMax,
            health: Health(waitingFor: []),
            logger: Self.logger,
            nowMilliseconds: scheduler.now
        )
        self.desk = desk
        links = world.writers.map { SimulatedLink($0, self, desk: desk) }
        let outbox = SimulatedOutbox(self, desk: desk)
        self.outbox = outbox
        courier = Courier(
            publish: { [self] message, reply in publish(message, receivedMilliseconds: nil, reply: reply) },
            shelf: Courier.Shelf(
                holds: { outbox.holds($0) },
                accept: { outbox.accept($0, receivedMilliseconds: $1, reply: $2) }
            ),
            refused: { [scheduler] in desk.refuse($0, nowMilliseconds: scheduler.now) }
        )
        outbox.open()
        beat(run)
    }

    func kill() {
        guard isUp else { return }
        scheduler.trace("\(name) is killed")
        isUp = false
        awaySince = awaySince ?? scheduler.now
        outbox?.kill()
        world.excuse(name)
    }

    /// SIGTERM: the door closes, what is out is answered, the links sign off.
    func stop() {
        guard isUp, !isStopping else { return }
        scheduler.trace("\(name) is told to end")
        isStopping = true
        awaySince = scheduler.now
        for link in links { link.stop() }
    }

    func linkEnded() {
        guard isStopping, links.allSatisfy(\.hasEnded) else { return }
        scheduler.trace("\(name) has ended")
        isUp = false
        hasSignedOff = true
        outbox?.kill()
        world.excuse(name)
    }

    /// A client's request. The reply does not come where the ingest ends before.
    func request(_ message: JobMessage, reply: @escaping @Sendable (Outcome?) -> Void) {
        guard isUp, !isStopping else { return reply(nil) }
        guard !isPaused else {
            return scheduler.after(pausedUntil - scheduler.now) { [self] in request(message, reply: reply) }
        }
        let (run, receipt) = (run, world.receipt(in: name))
        courier?.bring(message, nowMilliseconds: scheduler.now) { [self] outcome in
            receipt.use()
            guard self.run == run, isUp else { return }
            reply(outcome)
        }
    }

    /// As `Publisher.publish`.
    func publish(
        _ message: JobMessage,
        receivedMilliseconds: Int64?,
        reply: @escaping @Sendable (Outcome) -> Void
    ) {
        guard let desk, !isStopping else { return reply(.answered(Answer(.unavailable))) }
        let now = scheduler.now
        guard
            let index = WriterChoice.index(
                for: message.jobID,
                among: links.map(\.status),
                nowMilliseconds: now
            )
        else {
            desk.refuse(message.jobID, nowMilliseconds: now)
            return reply(.answered(Answer(.unavailable)))
        }
        if let refusal = desk.enter(message, nowMilliseconds: now) { return reply(.answered(refusal)) }
        let receipt = world.receipt(in: name)
        let waiting = links.reduce(1) { $0 + $1.count }
        world.expect(
            waiting <= world.plan.windowCountMax + links.count * 4,
            "\(waiting) messages wait in \(name)'s windows, \(world.plan.windowCountMax) may"
        )
        links[index].publish(message, receivedMilliseconds: receivedMilliseconds ?? now) { outcome in
            receipt.use()
            reply(outcome)
        }
    }

    /// Lets go of what holds one another.
    func dispose() {
        (courier, outbox, desk, links) = (nil, nil, nil, [])
    }

    var isStoring: Bool { links.contains { $0.status.isStoring(nowMilliseconds: scheduler.now) } }

    private func beat(_ run: Int) {
        guard isUp, !isStopping, self.run == run else { return }
        if !isPaused {
            for link in links { link.beat() }
        }
        scheduler.after(Plan.beatMilliseconds) { [self] in beat(run) }
    }
}
