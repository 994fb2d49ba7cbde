import Database
import DatabaseKit
import Logging
import ServiceKit
import ServiceLifecycle
import Synchronization
import Threading

/// Brings the tables up to date: once on demand, or at start before any lane stores anything.
enum Migration {
    /// Runs what is pending, and ends.
    static func run(_ settings: DatabaseSettings, logger: Logger) async throws {
        let result = Mutex<Result<Int, MigrationError>?>(nil)
        let thread = DedicatedThread(name: "migration") {
            let outcome = attempt(settings, logger: logger)
            result.withLock { $0 = outcome }
        }
        await thread.ended()
        if let count = try result.withLock({ try $0?.get() }) {
            logger.info("the tables are up to date", metadata: ["migrations_run": "\(count)"])
        }
    }

    /// Tries until the tables are up to date, then opens the latch; the database may come later than we do.
    static func service(
        _ settings: DatabaseSettings,
        health: Health,
        logger: Logger,
        migrated: Latch
    ) -> ThreadService {
        let stop = Latch()
        return ThreadService(name: "migration") {
            stop.open()
        } _: {
            var lastError = ""
            while !stop.isOpen {
                switch attempt(settings, logger: logger) {
                case .success(let count):
                    logger.info("the tables are up to date", metadata: ["migrations_run": "\(count)"])
                    health.ready("tables")
                    migrated.open()
                    stop.wait()
                case .failure(let error):
                    health.obstructed("tables", by: "\(error)")
                    if lastError != "\(error)" {
                        lastError = "\(error)"
                        logger.error("the tables are not up to date", metadata: ["error": "\(error)"])
                    }
                    stop.wait(milliseconds: 1000)
                }
            }
        }
    }

    private static func attempt(_ settings: DatabaseSettings, logger: Logger) -> Result<Int, MigrationError> {
        DatabaseLibrary.withThread {
            do throws(MigrationError) {
                let done = try Migrator(settings, owner: "sendense-writer").run { statement in
                    logger.info("migrating", metadata: ["statement": "\(statement.prefix(120))"])
                }
                return .success(done.count)
            } catch {
                return .failure(error)
            }
        }
    }
}
