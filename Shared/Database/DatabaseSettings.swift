/// Where the database is and how to log in.
public struct DatabaseSettings: Sendable {
    /// The server's unix socket. nil: TCP to `host` and `port`.
    public var socketPath: String?
    /// The server's host; ignored where `socketPath` is set.
    public var host: String
    /// The server's TCP port; ignored where `socketPath` is set.
    public var port: UInt16
    /// The database to use. "" selects none.
    public var database: String
    /// The user to log in as.
    public var user: String
    /// The user's password. It never appears in an error or a log.
    public var password: String
    /// How long opening a connection may take, in seconds.
    public var connectTimeoutSeconds: UInt32
    /// How long the server may leave one read unanswered, in seconds; then the connection counts as lost.
    public var readTimeoutSeconds: UInt32
    /// How long one write to the server may block, in seconds; then the connection counts as lost.
    public var writeTimeoutSeconds: UInt32

    /// Creates settings from their parts.
    public init(
        socketPath: String? = nil,
        host: String = "127.0.0.1",
        port: UInt16 = 3306,
        database: String,
        user: String,
        password: String,
        connectTimeoutSeconds: UInt32 = 5,
        readTimeoutSeconds: UInt32 = 30,
        writeTimeoutSeconds: UInt32 = 30
    ) {
        self.socketPath = socketPath
        self.host = host
        self.port = port
        self.database = database
        self.user = user
        self.password = password
        self.connectTimeoutSeconds = connectTimeoutSeconds
        self.readTimeoutSeconds = readTimeoutSeconds
        self.writeTimeoutSeconds = writeTimeoutSeconds
    }

    /// The same settings for another database on the same server.
    public func using(database: String) -> DatabaseSettings {
        var other = self
        other.database = database
        return other
    }

    /// Where these settings lead, for messages: never the password.
    var place: String {
        let server = socketPath ?? "\(host):\(port)"
        return "\(user)@\(server)/\(database)"
    }
}
