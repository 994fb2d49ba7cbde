import Logging
import MessageBus
import ServiceKit
import ServiceLifecycle

/// The ingest's object graph. Services are shut down in reverse order: the door closes first.
func build(_ settings: IngestSettings, _ runner: ServiceRunner) throws -> [any Service] {
    let health = Health(waitingFor: ["door", "writer"])
    let publisher = Publisher(
        endpoints: settings.writers,
        timeoutMilliseconds: settings.ackTimeoutMilliseconds,
        countMax: settings.windowCountMax,
        health: health,
        logger: runner.logger
    )
    let routes = Routes(health: health) { message, reply in publisher.publish(message, reply: reply) }
    let door = DoorServer(
        address: settings.listen,
        limits: DoorLimits(connectionCountMax: settings.connectionCountMax),
        health: health,
        logger: runner.logger
    ) { request, reply in routes.serve(request, reply: reply) }
    let admin = AdminServer(
        address: settings.admin,
        health: health,
        registry: runner.registry,
        logger: runner.logger
    )
    return [admin, publisher.service(), door]
}
