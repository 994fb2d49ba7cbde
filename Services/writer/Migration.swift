import Database
import DatabaseKit
import Logging
import ServiceKit
import ServiceLifecycle
import Threading

/// Brings the tables up to date: once on demand, or at start before any lane stores anything.
enum Migration {
    /// Does what a subcommand asks for, and ends.
    static func run(_ settings: DatabaseSettings, _ options: MigrationOptions, logger: Logger) async throws {
        do {
            try await OneShot.run(name: "migration") { try run(settings, options, logger) }
        } catch let error as MigrationError where error.isAllowance {
            throw ProgramEnd(status: allowanceStatus, "\(error)")
        }
    }

    /// The exit status where a statement waits for somebody to allow it.
    private static let allowanceStatus: Int32 = 3

    private static func run(
        _ settings: DatabaseSettings,
        _ options: MigrationOptions,
        _ logger: Logger
    ) throws {
        let migrator = Migrator(settings, owner: "sendense-writer")
        if options.isDryRun {
            let plan = try plan(migrator, options)
            print(plan.text)
            guard !plan.needsAllowance else {
                throw ProgramEnd(status: allowanceStatus, "not all of it is allowed to run as it is")
            }
        } else if options.isDown {
            let hasWorked = try migrator.runDown(
                allowRebuild: options.allowRebuild,
                dropData: options.dropData
            ) { tell($0, logger) }
            logger.info(hasWorked ? "what was ours is taken out" : "nothing of ours was there")
        } else {
            let done = try migrator.run(allowRebuild: options.allowRebuild) { tell($0, logger) }
            logger.info("the tables are up to date", metadata: ["migrations_run": "\(done.count)"])
        }
    }

    private static func plan(
        _ migrator: Migrator,
        _ options: MigrationOptions
    ) throws(MigrationError) -> MigrationPlan {
        if options.isDown {
            return try migrator.planDown(
                assumedRows: options.assumedRows,
                allowRebuild: options.allowRebuild,
                dropData: options.dropData
            )
        }
        return try migrator.plan(assumedRows: options.assumedRows, allowRebuild: options.allowRebuild)
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
                let done = try Migrator(settings, owner: "sendense-writer").run { event in
                    tell(event, logger)
                }
                return .success(done.count)
            } catch {
                return .failure(error)
            }
        }
    }

    /// One line for each statement before it runs, and one after it with what it took.
    private static func tell(_ event: MigrationEvent, _ logger: Logger) {
        switch event {
        case .begins(let statement) where !statement.isBookkeeping:
            let text = statement.sql.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            // A table's columns are thousands of bytes, and `migrate --dry-run` shows them.
            let shown = text.hasPrefix("CREATE TABLE") ? "\(text.prefix { $0 != "(" })(...)" : text
            logger.info("migrating", metadata: ["statement": "\(shown)", "cost": "\(statement.cost.words)"])
        case .ended(let statement, let way, let seconds) where !statement.isBookkeeping:
            logger.info(
                "migrated",
                metadata: ["way": "\(way.map { "\($0)" } ?? "plain")", "seconds": "\(seconds)"]
            )
        case .begins, .ended: break
        }
    }
}
