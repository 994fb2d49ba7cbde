import CMariaDB

/// A statement among others that are sent together.
public struct PipelinedStatement {
    private enum Parameters {
        case single([Value])
        case bulk([BulkColumn], rowCount: Int)
    }

    let statement: Statement
    private let parameters: Parameters

    /// - Parameters:
    ///   - statement: one that has no rows to return.
    ///   - parameters: one for each `?`.
    public init(_ statement: Statement, _ parameters: [Value] = []) {
        self.statement = statement
        self.parameters = .single(parameters)
    }

    /// As `Statement.executeBulk` takes them.
    public init(_ statement: Statement, bulk columns: [BulkColumn], rowCount: Int) {
        self.statement = statement
        parameters = .bulk(columns, rowCount: rowCount)
    }

    /// Nothing is sent for no rows.
    var isEmpty: Bool {
        if case .bulk(_, rowCount: 0) = parameters { true } else { false }
    }

    func send() throws(DatabaseError) {
        switch parameters {
        case .single(let values): try statement.run(values)
        case .bulk(let columns, let rowCount): try statement.run(columns, rowCount: rowCount)
        }
    }
}

extension Connection {
    /// Sends statements one behind the other, and reads their answers then: one round trip, where each that is waited for
    /// costs two changes of threads.
    ///
    /// The server runs all of them, also those behind one that fails: **outside of the transaction, for good**, where that
    /// one has ended it, as a deadlock does. So one that must not stand alone has to look: at `@@in_transaction`, or at
    /// `ROW_COUNT()`, which is -1 behind a statement that has failed.
    ///
    /// - Parameter statements: each prepared statement once, of this connection.
    /// - Returns: the rows that matched, of each; 0 where a bulk has no rows, which is not sent.
    /// - Throws: `DatabaseError` of the first that failed. All answers have been read, or the connection is of no more use.
    public func execute(pipelined statements: [PipelinedStatement]) throws(DatabaseError) -> [UInt64] {
        let (sentCount, sendFailure) = send(statements)
        var failure: DatabaseError?
        var counts: [UInt64] = []
        counts.reserveCapacity(statements.count)
        for statement in statements.prefix(sentCount) where isUsable {
            do throws(DatabaseError) {
                counts.append(statement.isEmpty ? 0 : try statement.statement.answer())
            } catch {
                failure = failure ?? error
            }
        }
        if let failure = failure ?? sendFailure { throw failure }
        return counts
    }

    private func send(_ statements: [PipelinedStatement]) -> (sentCount: Int, failure: DatabaseError?) {
        handle.leaveAnswers(true)
        defer { handle.leaveAnswers(false) }
        for (place, statement) in statements.enumerated() where !statement.isEmpty {
            precondition(
                statement.statement.handle === handle && statement.statement.columns.isEmpty,
                "has rows, or belongs to another connection: \(statement.statement.sql)"
            )
            do throws(DatabaseError) {
                try statement.send()
            } catch {
                return (place, error)
            }
        }
        return (statements.count, nil)
    }
}

extension Statement {
    /// Waits for the answer of a statement that was sent.
    ///
    /// - Returns: the rows that matched.
    /// - Throws: `DatabaseError`. One that the server has not sent leaves nothing that could still be read.
    fileprivate func answer() throws(DatabaseError) -> UInt64 {
        guard let read = unsafe handle.raw.pointee.methods.pointee.db_read_execute_response else {
            preconditionFailure("the client library cannot read answers later")
        }
        guard unsafe read(raw) == 0 else {
            let error = failure()
            if Self.clientCodes.contains(error.code) { handle.isLost = true }
            throw error
        }
        return unsafe mysql_stmt_affected_rows(raw)
    }

    /// Numbers of errors that the client library makes itself.
    private static let clientCodes: Range<UInt32> = 2000..<3000
}
