public import Database
public import Logging
public import ServiceKit
internal import Threading

/// A thread's way to the database: opens a connection, and another one after that was lost, with pauses.
///
/// Used on one thread only, like the connection itself.
public final class Session {
    private static let pauseMilliseconds: Int64 = 500

    private let settings: DatabaseSettings
    private let part: String
    private let health: Health
    private let logger: Logger
    private var current: Connection?
    private var nextTryMilliseconds: Int64 = 0
    private var hasSucceeded = false

    /// Declares the way; nothing is opened yet.
    ///
    /// - Parameters:
    ///   - settings: the database.
    ///   - part: the name under which its absence shows in the service's health.
    ///   - health: the service's health.
    ///   - logger: told once of each loss and each return.
    public init(_ settings: DatabaseSettings, part: String, health: Health, logger: Logger) {
        self.settings = settings
        self.part = part
        self.health = health
        self.logger = logger
    }

    /// The connection, opened now if need be. Blocks for up to the connect timeout.
    ///
    /// - Returns: nil while the database cannot be reached, or was found so less than half a second ago.
    public func connection() -> Connection? {
        if let current, current.isUsable { return current }
        current = nil
        guard MonotonicClock.nowMilliseconds >= nextTryMilliseconds else { return nil }
        do {
            let opened = try Connection.open(settings)
            current = opened
            if health.ready(part) { logger.info("the database is reached", metadata: ["part": "\(part)"]) }
            return opened
        } catch {
            failed(error)
            return nil
        }
    }

    /// The database has failed in a way that another try now will not mend.
    public func failed(_ error: DatabaseError) {
        nextTryMilliseconds = MonotonicClock.nowMilliseconds + Self.pauseMilliseconds
        if health.obstructed(part, by: "\(error)") {
            // At a first start others may still be on their way: the server, or the writer that makes the tables.
            logger.log(
                level: hasSucceeded ? .error : .warning,
                "the database cannot be used",
                metadata: ["part": "\(part)", "error": "\(error)"]
            )
        }
    }

    /// The database has done its work.
    public func succeeded() {
        hasSucceeded = true
        if health.ready(part) { logger.info("the database can be used again", metadata: ["part": "\(part)"]) }
    }
}
