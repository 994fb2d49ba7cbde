import CMariaDB

/// One connection to MariaDB, confined to the thread that opened it.
///
/// It never reconnects by itself: a new session would have lost its temporary tables and its transaction
/// without a word. After an error of kind `connectionLost` open another one. Autocommit is on; what belongs
/// together stands between `begin()` and `commit()`. The session counts matched rows, not changed ones, and
/// never sets a time zone, so that NOW() is the one that every other program sees.
public final class Connection {
    /// The most prepared statements that are kept; at the limit all are let go.
    public static let statementCountMax = 256

    private static let session = [
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        """
        SET SESSION autocommit=1, innodb_lock_wait_timeout=1, \
        sql_mode='STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'
        """,
    ]

    private static let begin = "START TRANSACTION"

    let handle: ConnectionHandle
    private var statements: [String: Statement] = [:]

    /// Connects, logs in and sets up the session. Blocks for up to the connect timeout.
    public static func open(_ settings: DatabaseSettings) throws(DatabaseError) -> Connection {
        let handle = try ConnectionHandle(operation: "connecting to \(settings.place)")
        try handle.connect(settings)
        let connection = Connection(handle)
        for statement in session { try connection.execute(statement) }
        return connection
    }

    private init(_ handle: ConnectionHandle) {
        self.handle = handle
    }

    /// False once an error of kind `connectionLost` was met: every later call fails.
    public var isUsable: Bool { !handle.isLost }

    /// Makes the connection unusable: its session is in a state that must not reach another transaction.
    ///
    /// - Parameter cause: why it could not be put right.
    /// - Returns: the cause as an error of kind `connectionLost`.
    func giveUp(_ cause: DatabaseError) -> DatabaseError {
        handle.isLost = true
        // CR_SERVER_LOST
        return DatabaseError(
            code: 2013,
            sqlState: "HY000",
            message: "the session is given up: \(cause.message) (errno \(cause.code))",
            operation: cause.operation
        )
    }

    /// The server's version, like `10.11.14-MariaDB`.
    public var serverVersion: String {
        handle.checkThread()
        return unsafe String(cString: mysql_get_server_info(handle.raw))
    }

    /// The server can leave out rows that another transaction holds (`SKIP LOCKED`): MariaDB 10.6 and newer.
    public var canSkipLocked: Bool {
        handle.checkThread()
        return unsafe mysql_get_server_version(handle.raw) >= 100_600
    }

    /// The server's id of this session, as KILL takes it.
    public var sessionID: UInt {
        handle.checkThread()
        return unsafe mysql_thread_id(handle.raw)
    }

    /// Asks the server for a sign of life. Blocks for up to the read timeout.
    public func isAlive() -> Bool {
        handle.checkThread()
        guard unsafe mysql_ping(handle.raw) == 0 else {
            handle.isLost = true
            return false
        }
        return true
    }

    /// Runs a statement as it is and drops its rows, if any.
    /// - Returns: the rows that matched.
    @discardableResult
    public func execute(_ sql: String) throws(DatabaseError) -> UInt64 {
        try run(sql)
        if let result = unsafe mysql_store_result(handle.raw) {
            unsafe mysql_free_result(result)
            return 0
        }
        try checkNoError(sql)
        return unsafe mysql_affected_rows(handle.raw)
    }

    /// Runs a statement as it is and returns its rows, all in memory: for small results.
    public func query(_ sql: String) throws(DatabaseError) -> [Row] {
        try run(sql)
        return try rows(sql)
    }

    /// Runs statements as they are, one after the other and in one round trip, which may cost more than they do.
    ///
    /// - Parameter statements: none of them with a value from elsewhere in its text.
    /// - Returns: the rows of the last one, all in memory.
    /// - Throws: `DatabaseError` of the first that fails; those behind it are not run.
    public func query(all statements: [String]) throws(DatabaseError) -> [Row] {
        handle.checkThread()
        try handle.takeSeveral()
        try run(statements.joined(separator: ";"))
        var last = try rows(statements[0])
        for sql in statements.dropFirst() {
            // An error stays with the connection, and the look for rows finds it.
            _ = unsafe mysql_next_result(handle.raw)
            last = try rows(sql)
        }
        return last
    }

    /// The rows of the statement that was run last.
    private func rows(_ sql: String) throws(DatabaseError) -> [Row] {
        guard let result = unsafe mysql_store_result(handle.raw) else {
            try checkNoError(sql)
            return []
        }
        defer { unsafe mysql_free_result(result) }
        let columns = unsafe ResultColumn.all(of: result)
        let names = columns.map(\.name)
        var rows: [Row] = []
        while let row = unsafe mysql_fetch_row(result), let lengths = unsafe mysql_fetch_lengths(result) {
            var cells: [Cell] = []
            cells.reserveCapacity(columns.count)
            for (index, column) in columns.enumerated() {
                guard let start = unsafe row[index] else {
                    cells.append(.null)
                    continue
                }
                let bytes = unsafe UnsafeRawBufferPointer(start: start, count: Int(lengths[index]))
                cells.append(unsafe column.cell(printed: bytes))
            }
            rows.append(Row(cells: cells, columnNames: names))
        }
        return rows
    }

    /// The prepared statement for `sql`, from the cache where it has been prepared before.
    public func prepare(_ sql: String) throws(DatabaseError) -> Statement {
        handle.checkThread()
        if let statement = statements[sql], !statement.isBroken { return statement }
        if statements.count >= Self.statementCountMax { statements.removeAll() }
        let statement = try Statement(handle, sql: sql)
        statements[sql] = statement
        return statement
    }

    /// Begins a transaction; one that was open is committed by the server, as ever.
    public func begin() throws(DatabaseError) {
        try execute(Self.begin)
    }

    /// Begins a transaction with some statements; the rows of the last of them.
    private func begin(with statements: [String]) throws(DatabaseError) -> [Row] {
        guard statements.isEmpty else { return try query(all: [Self.begin] + statements) }
        try begin()
        return []
    }

    /// Commits. After an error of kind `connectionLost` nobody knows whether it took place.
    public func commit() throws(DatabaseError) {
        try execute("COMMIT")
    }

    /// Rolls back; harmless where no transaction is open.
    public func rollback() throws(DatabaseError) {
        try execute("ROLLBACK")
    }

    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// A rollback that fails is not told, since the first error counts: the connection is then lost, and the
    /// server rolls back by itself.
    @discardableResult
    public func transaction<Result>(
        _ body: () throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        try transaction(beginningWith: []) { _ throws(DatabaseError) in try body() }
    }

    /// Runs `body` in a transaction, as above, that begins with some statements in the same round trip.
    ///
    /// - Parameters:
    ///   - statements: as `query(all:)` takes them.
    ///   - body: gets the rows of the last of them.
    /// - Returns: what `body` returns.
    /// - Throws: `DatabaseError` of the server, or what `body` throws.
    @discardableResult
    public func transaction<Result>(
        beginningWith statements: [String],
        _ body: ([Row]) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        do {
            let result = try body(try begin(with: statements))
            try commit()
            return result
        } catch {
            do { try rollback() } catch { handle.isLost = true }
            throw error
        }
    }

    /// Runs `body` so that all its reads see the database as it was at one instant. It may not write.
    public func snapshot<Result>(
        _ body: () throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        try execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        try execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        do {
            let result = try body()
            try commit()
            return result
        } catch {
            do { try rollback() } catch { handle.isLost = true }
            throw error
        }
    }

    private func run(_ sql: String) throws(DatabaseError) {
        handle.checkThread()
        var sql = sql
        let code = sql.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                unsafe mysql_real_query(handle.raw, characters.baseAddress, UInt(characters.count))
            }
        }
        guard code == 0 else { throw handle.error(Self.operation(of: sql)) }
    }

    private func checkNoError(_ sql: String) throws(DatabaseError) {
        guard unsafe mysql_errno(handle.raw) == 0 else { throw handle.error(Self.operation(of: sql)) }
    }

    /// A statement's first words, up to where values may begin.
    private static func operation(of sql: String) -> String {
        let plain = sql.prefix { $0 != "'" && $0 != "\"" && $0 != "(" && $0 != "=" }
        return plain.split(whereSeparator: \.isWhitespace).prefix(6).joined(separator: " ")
    }
}

@available(*, unavailable)
extension Connection: Sendable {}

extension ConnectionHandle {
    /// Sets the options and connects.
    func connect(_ settings: DatabaseSettings) throws(DatabaseError) {
        let operation = "connecting to \(settings.place)"
        set(MYSQL_OPT_CONNECT_TIMEOUT, to: settings.connectTimeoutSeconds)
        set(MYSQL_OPT_READ_TIMEOUT, to: settings.readTimeoutSeconds)
        set(MYSQL_OPT_WRITE_TIMEOUT, to: settings.writeTimeoutSeconds)
        // Without this the host name `localhost` would mean the library's own default socket.
        let transport = settings.socketPath == nil ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET
        set(MYSQL_OPT_PROTOCOL, to: transport.rawValue)
        set(MYSQL_OPT_LOCAL_INFILE, to: 0)
        unsafe mysql_options(raw, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        let connected = unsafe mysql_real_connect(
            raw,
            settings.socketPath == nil ? settings.host : nil,
            settings.user,
            settings.password,
            settings.database.isEmpty ? nil : settings.database,
            UInt32(settings.port),
            settings.socketPath,
            UInt(CLIENT_FOUND_ROWS)
        )
        guard unsafe connected != nil else { throw error(operation) }
    }

    private func set(_ option: mysql_option, to value: UInt32) {
        var value = value
        unsafe mysql_options(raw, option, &value)
    }
}
