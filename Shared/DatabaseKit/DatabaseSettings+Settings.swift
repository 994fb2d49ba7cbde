public import Database
public import ServiceKit

extension [Setting] {
    /// Settings of a service that uses the database.
    public static var database: [Setting] {
        [
            Setting("database.socket", help: "path of MariaDB's Unix socket; wins over host and port"),
            Setting("database.host", default: "127.0.0.1", help: "MariaDB's host"),
            Setting("database.port", default: "3306", help: "MariaDB's port"),
            Setting("database.name", default: "migratekit_oma", help: "the database's name"),
            Setting("database.user", default: "oma_user", help: "the user to log in as"),
            Setting("database.password", default: "", isSecret: true, help: "the user's password"),
        ]
    }
}

extension DatabaseSettings {
    /// The database as it is told in the service's settings.
    public init(_ settings: Settings) throws(SettingsError) {
        self.init(
            socketPath: settings.optionalString("database.socket"),
            host: try settings.string("database.host"),
            port: UInt16(try settings.int("database.port", in: 1...65535)),
            database: try settings.string("database.name"),
            user: try settings.string("database.user"),
            password: settings.optionalString("database.password") ?? ""
        )
    }
}
