import CMariaDB

/// The client library's own life cycle.
///
/// `initialize()` belongs at the start of main, before there are threads; `withThread` around all that a
/// thread does with connections (mysql_library_init and mysql_thread_end in the manual of Connector/C).
public enum DatabaseLibrary {
    private static let initialized: Bool = mysql_server_init(0, nil, nil) == 0

    /// Prepares the library, once per process; more calls do nothing.
    ///
    /// - Precondition: the library can be set up; it traps where memory for that is lacking.
    public static func initialize() {
        precondition(initialized, "mysql_library_init failed: out of memory")
    }

    /// Prepares the library for the calling thread, runs `body` on it, and frees what the thread held.
    /// Connections that `body` opens must not leave it.
    public static func withThread<Result, Failure>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        initialize()
        precondition(mysql_thread_init() == 0, "mysql_thread_init failed: out of memory")
        defer { mysql_thread_end() }
        return try body()
    }
}
