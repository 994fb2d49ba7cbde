import JobModel
import Logging
import ServiceKit
import ServiceLifecycle
import Threading

/// The writer's object graph. Services are shut down in reverse order: the lanes finish their work while the
/// receiver still delivers their answers.
func build(_ settings: WriterSettings, _ runner: ServiceRunner) throws -> [any Service] {
    let laneNumbers = Array(0..<settings.laneCount)
    let health = Health(waitingFor: ["bus", "tables"] + laneNumbers.map { Lane.part($0) })
    let migrated = Latch()
    let lanes = LaneSet()
    let readAhead = ReadAhead(settings.database, lanes: lanes, migrated: migrated, logger: runner.logger)
    let receiver = Receiver(
        endpoint: settings.bind,
        health: health,
        logger: runner.logger,
        lanes: lanes
    )
    lanes.open(
        laneNumbers.map { number in
            Lane(
                number: number,
                settings: settings,
                health: health,
                logger: runner.logger,
                migrated: migrated,
                readAhead: readAhead
            ) { answers in receiver.answer(answers) }
        }
    )
    let admin = AdminServer(
        address: settings.admin,
        setting: "writer.admin",
        health: health,
        registry: runner.registry,
        logger: runner.logger
    )
    let migration = Migration.service(
        settings.database,
        health: health,
        logger: runner.logger,
        migrated: migrated
    )
    return [admin, receiver.service(), migration] + lanes.all.map { $0.service() } + [readAhead.service()]
}
