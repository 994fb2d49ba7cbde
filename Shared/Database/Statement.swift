import CMariaDB

/// A prepared statement (binary protocol), on its connection's thread only.
///
/// It keeps its connection open as long as it lives. `@safe`: `raw` is valid from init to deinit, and every
/// call binds memory of its own before the library reads or writes any.
@safe
public final class Statement {
    /// The statement's text.
    public let sql: String
    let handle: ConnectionHandle
    let raw: UnsafeMutablePointer<MYSQL_STMT>
    let parameterCount: Int
    let columns: [ResultColumn]
    /// An error came in the middle of the rows. The library would wait for the rest of them at the next use, so
    /// there must be none.
    private(set) var isBroken = false

    /// The first read of a text takes up to so many bytes; a longer cell is read again, whole.
    private static let firstReadByteCount = 256

    init(_ handle: ConnectionHandle, sql: String) throws(DatabaseError) {
        guard let raw = unsafe mysql_stmt_init(handle.raw) else {
            throw handle.error("mysql_stmt_init")
        }
        var text = sql
        let code = text.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                unsafe mysql_stmt_prepare(raw, characters.baseAddress, UInt(characters.count))
            }
        }
        guard code == 0 else {
            let error = unsafe handle.error(Self.operation(of: sql), of: raw)
            unsafe mysql_stmt_close(raw)
            throw error
        }
        self.sql = sql
        self.handle = handle
        unsafe self.raw = raw
        parameterCount = unsafe Int(mysql_stmt_param_count(raw))
        if let result = unsafe mysql_stmt_result_metadata(raw) {
            columns = unsafe ResultColumn.all(of: result)
            unsafe mysql_free_result(result)
        } else {
            columns = []
        }
    }

    deinit { unsafe mysql_stmt_close(raw) }

    /// Runs the statement and drops its rows, if any.
    /// - Parameter parameters: one for each `?`.
    /// - Returns: the rows that matched.
    /// - Throws: `DatabaseError` of the server or the connection.
    @discardableResult
    public func execute(_ parameters: [Value] = []) throws(DatabaseError) -> UInt64 {
        try run(parameters)
        guard columns.isEmpty else {
            defer { unsafe mysql_stmt_free_result(raw) }
            // An error among the rows, like a lock wait of FOR UPDATE, is only met by reading them.
            guard unsafe mysql_stmt_store_result(raw) == 0 else {
                isBroken = true
                throw failure()
            }
            return 0
        }
        return unsafe mysql_stmt_affected_rows(raw)
    }

    /// Runs the statement and returns its rows, all in memory; long cells come whole.
    /// - Parameter parameters: one for each `?`.
    /// - Returns: the rows.
    /// - Throws: `DatabaseError` of the server or the connection.
    public func query(_ parameters: [Value] = []) throws(DatabaseError) -> [Row] {
        try run(parameters)
        guard !columns.isEmpty else { return [] }
        defer { unsafe mysql_stmt_free_result(raw) }
        let arena = BindArena()
        defer { arena.free() }
        let bindings = unsafe bindResult(arena)
        guard unsafe mysql_stmt_bind_result(raw, bindings) == 0, unsafe mysql_stmt_store_result(raw) == 0
        else {
            isBroken = true
            throw failure()
        }
        let names = columns.map(\.name)
        var rows: [Row] = []
        rows.reserveCapacity(unsafe Int(mysql_stmt_num_rows(raw)))
        while true {
            let code = unsafe mysql_stmt_fetch(raw)
            if code == MYSQL_NO_DATA { return rows }
            guard code == 0 || code == MYSQL_DATA_TRUNCATED else {
                isBroken = true
                throw failure()
            }
            var cells: [Cell] = []
            cells.reserveCapacity(columns.count)
            for (index, column) in columns.enumerated() {
                cells.append(try unsafe cell(column, at: index, bindings[index]))
            }
            rows.append(Row(cells: cells, columnNames: names))
        }
    }

    func failure() -> DatabaseError {
        unsafe handle.error(Self.operation(of: sql), of: raw)
    }

    /// Binds and sends; reads the answer, too, unless the connection leaves that for later.
    func run(_ parameters: [Value]) throws(DatabaseError) {
        handle.checkThread()
        precondition(
            parameters.count == parameterCount,
            "\(parameters.count) parameters for \(parameterCount) in: \(sql)"
        )
        let arena = BindArena()
        defer { arena.free() }
        if parameterCount > 0 {
            let bindings = unsafe arena.allocate(MYSQL_BIND.self, count: parameters.count)
            for (index, parameter) in parameters.enumerated() {
                unsafe bind(parameter, to: &bindings[index], arena)
            }
            guard unsafe mysql_stmt_bind_param(raw, bindings) == 0 else { throw failure() }
        }
        guard unsafe mysql_stmt_execute(raw) == 0 else { throw failure() }
    }

    private func bind(_ value: Value, to binding: inout MYSQL_BIND, _ arena: BindArena) {
        switch value {
        case .null:
            unsafe binding.buffer_type = MYSQL_TYPE_NULL
        case .int(let number):
            let buffer = unsafe arena.allocate(Int64.self, count: 1)
            unsafe buffer.pointee = number
            unsafe binding.buffer = UnsafeMutableRawPointer(buffer)
            unsafe binding.buffer_type = MYSQL_TYPE_LONGLONG
        case .text(var text):
            let buffer = text.withUTF8 { unsafe arena.copy(UnsafeRawBufferPointer($0)) }
            unsafe bind(buffer, count: text.utf8.count, MYSQL_TYPE_STRING, to: &binding, arena)
        case .bytes(let bytes):
            let buffer = unsafe bytes.withUnsafeBytes { unsafe arena.copy($0) }
            unsafe bind(buffer, count: bytes.count, MYSQL_TYPE_BLOB, to: &binding, arena)
        }
    }

    private func bind(
        _ buffer: UnsafeMutablePointer<UInt8>,
        count: Int,
        _ type: enum_field_types,
        to binding: inout MYSQL_BIND,
        _ arena: BindArena
    ) {
        let length = unsafe arena.allocate(UInt.self, count: 1)
        unsafe length.pointee = UInt(count)
        unsafe binding.buffer = UnsafeMutableRawPointer(buffer)
        unsafe binding.buffer_length = UInt(count)
        unsafe binding.length = length
        unsafe binding.buffer_type = type
    }

    /// A buffer for each column's cell, with its length, NULL flag and truncation flag.
    private func bindResult(_ arena: BindArena) -> UnsafeMutablePointer<MYSQL_BIND> {
        let bindings = unsafe arena.allocate(MYSQL_BIND.self, count: columns.count)
        for (index, column) in columns.enumerated() {
            let byteCount: Int
            switch column.form {
            case .int, .uint:
                byteCount = MemoryLayout<Int64>.size
                unsafe bindings[index].buffer_type = MYSQL_TYPE_LONGLONG
                unsafe bindings[index].is_unsigned = column.form == .uint ? 1 : 0
            case .double:
                byteCount = MemoryLayout<Double>.size
                unsafe bindings[index].buffer_type = MYSQL_TYPE_DOUBLE
            case .text, .wholeDecimal, .bytes:
                byteCount = Self.firstReadByteCount
                unsafe bindings[index].buffer_type =
                    column.form == .bytes ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING
            }
            unsafe bindings[index].buffer = UnsafeMutableRawPointer(
                arena.allocate(UInt8.self, count: byteCount)
            )
            unsafe bindings[index].buffer_length = UInt(byteCount)
            unsafe bindings[index].length = arena.allocate(UInt.self, count: 1)
            unsafe bindings[index].is_null = arena.allocate(my_bool.self, count: 1)
            unsafe bindings[index].error = arena.allocate(my_bool.self, count: 1)
        }
        return unsafe bindings
    }

    private func cell(
        _ column: ResultColumn,
        at index: Int,
        _ binding: MYSQL_BIND
    ) throws(DatabaseError) -> Cell {
        if unsafe binding.is_null.pointee != 0 { return .null }
        guard let buffer = unsafe binding.buffer else { return .null }
        switch column.form {
        case .int: return .int(unsafe buffer.load(as: Int64.self))
        case .uint: return .uint(unsafe buffer.load(as: UInt64.self))
        case .double: return .double(unsafe buffer.load(as: Double.self))
        case .text, .wholeDecimal, .bytes:
            let count = unsafe Int(binding.length.pointee)
            guard count > Self.firstReadByteCount else {
                return unsafe column.cell(printed: UnsafeRawBufferPointer(start: buffer, count: count))
            }
            return try longCell(column, at: index, byteCount: count)
        }
    }

    private func longCell(
        _ column: ResultColumn,
        at index: Int,
        byteCount: Int
    ) throws(DatabaseError) -> Cell {
        let arena = BindArena()
        defer { arena.free() }
        let buffer = unsafe arena.allocate(UInt8.self, count: byteCount)
        let binding = unsafe arena.allocate(MYSQL_BIND.self, count: 1)
        unsafe binding.pointee.buffer_type = column.form == .bytes ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING
        unsafe binding.pointee.buffer = UnsafeMutableRawPointer(buffer)
        unsafe binding.pointee.buffer_length = UInt(byteCount)
        unsafe binding.pointee.length = arena.allocate(UInt.self, count: 1)
        unsafe binding.pointee.is_null = arena.allocate(my_bool.self, count: 1)
        unsafe binding.pointee.error = arena.allocate(my_bool.self, count: 1)
        guard unsafe mysql_stmt_fetch_column(raw, binding, UInt32(index), 0) == 0 else { throw failure() }
        return unsafe column.cell(printed: UnsafeRawBufferPointer(start: buffer, count: byteCount))
    }

    /// The statement's beginning: values are `?` there.
    private static func operation(of sql: String) -> String {
        sql.split(whereSeparator: \.isWhitespace).prefix(12).joined(separator: " ")
    }
}

@available(*, unavailable)
extension Statement: Sendable {}
