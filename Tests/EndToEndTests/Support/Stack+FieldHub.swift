import StackSupport
import Database
import TestSupport

extension Stack {
    /// The database that a hub in the field brings along.
    enum FieldHub: Sendable {
        /// It has the guide's telemetry columns already.
        case withTelemetry
        case withoutTelemetry
    }

    /// Puts a field hub's tables and rows in the place of the stack's database, and starts the services on
    /// them.
    ///
    /// - Parameters:
    ///   - hub: which tables it has.
    ///   - look: gets the tables' definitions before a service has seen them.
    /// - Throws: `EndToEndError`, `DatabaseError`.
    func adopt(_ hub: FieldHub, _ look: ([String]) throws -> Void = { _ in }) throws {
        for service in [Service.ingest, .staleDetector, .writer] { try stop(service) }
        let connection = try connection()
        try connection.execute("DROP DATABASE migratekit_oma")
        try connection.execute("CREATE DATABASE migratekit_oma CHARACTER SET utf8mb4")
        try connection.execute("USE migratekit_oma")
        try FieldSchema.install(on: connection, withTelemetry: hub == .withTelemetry)
        try look(FieldHubJobs(connection: connection).definitions())
        for service in [Service.writer, .staleDetector, .ingest] { try start(service) }
    }
}
