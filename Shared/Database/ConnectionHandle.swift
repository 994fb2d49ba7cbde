import CMariaDB
import Glibc

/// The owner of the library's connection: the only place that closes it.
///
/// `@safe`: `raw` is valid from init to deinit, and no other class keeps it beyond a call; statements hold the
/// handle itself, so the connection outlives them.
@safe
final class ConnectionHandle {
    let raw: UnsafeMutablePointer<MYSQL>
    private let thread = pthread_self()
    /// The connection has failed and is of no more use.
    var isLost = false
    private var takesSeveral = false

    init(operation: String) throws(DatabaseError) {
        DatabaseLibrary.initialize()
        guard let raw = unsafe mysql_init(nil) else {
            throw DatabaseError(
                code: 2008,
                sqlState: "HY001",
                message: "out of memory",
                operation: operation
            )
        }
        unsafe self.raw = raw
    }

    deinit { unsafe mysql_close(raw) }

    /// Traps on any thread but the one that opened the connection: the library does not lock.
    func checkThread() {
        precondition(
            pthread_equal(pthread_self(), thread) != 0,
            "a database connection was used outside the thread that opened it"
        )
    }

    /// Lets the server take several statements at once, from now on.
    func takeSeveral() throws(DatabaseError) {
        guard !takesSeveral else { return }
        guard unsafe mysql_set_server_option(raw, MYSQL_OPTION_MULTI_STATEMENTS_ON) == 0 else {
            throw error("mysql_set_server_option")
        }
        takesSeveral = true
    }

    /// Whether statements are only sent, so that their answers wait to be read.
    func leaveAnswers(_ isLeft: Bool) {
        var flag: my_bool = isLeft ? 1 : 0
        let code = unsafe mysql_options(raw, MARIADB_OPT_SKIP_READ_RESPONSE, &flag)
        precondition(code == 0, "the client library always waits for answers")
    }

    /// The connection's last error; notes the loss of the connection.
    func error(_ operation: String) -> DatabaseError {
        note(
            DatabaseError(
                code: unsafe mysql_errno(raw),
                sqlState: unsafe String(cString: mysql_sqlstate(raw)),
                message: unsafe String(cString: mysql_error(raw)),
                operation: operation
            )
        )
    }

    /// A statement's last error; notes the loss of the connection.
    func error(_ operation: String, of statement: UnsafeMutablePointer<MYSQL_STMT>) -> DatabaseError {
        note(
            DatabaseError(
                code: unsafe mysql_stmt_errno(statement),
                sqlState: unsafe String(cString: mysql_stmt_sqlstate(statement)),
                message: unsafe String(cString: mysql_stmt_error(statement)),
                operation: operation
            )
        )
    }

    private func note(_ error: DatabaseError) -> DatabaseError {
        if error.kind == .connectionLost { isLost = true }
        return error
    }
}
