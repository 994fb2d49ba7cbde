import Logging
import MessageBus
import ServiceKit
import ServiceLifecycle
import Threading

/// The ingest's object graph. Services are shut down in reverse order: the door closes first.
func build(_ settings: IngestSettings, _ runner: ServiceRunner) throws -> [any Service] {
    let health = Health(waitingFor: ["door", "writer", "storage"])
    let desk = PublisherDesk(
        timeoutMilliseconds: settings.ackTimeoutMilliseconds,
        gapMilliseconds: settings.beatGapMilliseconds,
        countMax: settings.windowCountMax,
        health: health,
        logger: runner.logger,
        nowMilliseconds: MonotonicClock.nowMilliseconds
    )
    let publisher = Publisher(
        endpoints: settings.writers,
        ingest: settings.name,
        timeoutMilliseconds: settings.ackTimeoutMilliseconds,
        desk: desk,
        logger: runner.logger
    )
    let outbox = settings.outbox.map { settings in
        Outbox(
            settings,
            OutboxWay(
                isStoring: { publisher.isStoring },
                publish: { message, receivedMilliseconds, reply in
                    publisher.publish(message, receivedMilliseconds: receivedMilliseconds) { outcome in
                        if case .answered(let answer) = outcome { reply(answer) }
                    }
                    publisher.send()
                },
                backlog: { desk.backlog(sinceMilliseconds: $0) }
            ),
            health: health,
            logger: runner.logger
        )
    }
    let courier = Courier(
        publish: { message, reply in publisher.publish(message, reply: reply) },
        shelf: outbox.map { outbox in
            Courier.Shelf(
                holds: { outbox.holds($0) },
                accept: { outbox.accept($0, receivedMilliseconds: $1, reply: $2) }
            )
        },
        refused: { desk.refuse($0, nowMilliseconds: MonotonicClock.nowMilliseconds) }
    )
    let beatPath = Beater.newPath()
    let routes = Routes(health: health, beatPath: beatPath, beat: { publisher.beat() }) { message, reply in
        courier.bring(message, nowMilliseconds: MonotonicClock.nowMilliseconds, reply: reply)
    }
    let door = DoorServer(
        address: settings.listen,
        limits: DoorLimits(connectionCountMax: settings.connectionCountMax),
        health: health,
        logger: runner.logger,
        turnedAway: { desk.refuse(nil, nowMilliseconds: MonotonicClock.nowMilliseconds) },
        turnEnds: { publisher.send() }
    ) { request, reply in routes.serve(request, reply: reply) }
    let beater = Beater(address: settings.listen, path: beatPath, logger: runner.logger)
    let admin = AdminServer(
        address: settings.admin,
        setting: "ingest.admin",
        health: health,
        registry: runner.registry,
        logger: runner.logger
    )
    let waiting: [any Service] = outbox.map { [$0.service()] } ?? []
    return [admin] + waiting + publisher.services() + [door, beater]
}
