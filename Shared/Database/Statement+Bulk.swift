import CMariaDB

extension Statement {
    /// The most bytes of one bulk call: half of the server's default `max_allowed_packet`. Beyond that the
    /// server would cut the connection.
    public static let bulkByteCountMax = 8 * 1024 * 1024

    /// Runs the statement once for each row, in one round trip (array binding).
    ///
    /// Not atomic by itself: rows before a refused one may stand until the transaction is rolled back.
    /// - Parameters:
    ///   - columns: one for each `?`, each with `rowCount` values.
    ///   - rowCount: the number of rows; 0 does nothing.
    /// - Returns: the rows that matched, of all rows together.
    /// - Throws: `DatabaseError`; code 1153 (kind `refused`) before anything is sent where the call would
    ///   exceed `bulkByteCountMax`.
    @discardableResult
    public func executeBulk(_ columns: [BulkColumn], rowCount: Int) throws(DatabaseError) -> UInt64 {
        guard rowCount > 0 else { return 0 }
        try run(columns, rowCount: rowCount)
        return unsafe mysql_stmt_affected_rows(raw)
    }

    /// Binds and sends; reads the answer, too, unless the connection leaves that for later.
    func run(_ columns: [BulkColumn], rowCount: Int) throws(DatabaseError) {
        handle.checkThread()
        precondition(
            columns.count == parameterCount && parameterCount > 0,
            "\(columns.count) columns for \(parameterCount) parameters in: \(sql)"
        )
        precondition(columns.allSatisfy { $0.count == rowCount }, "columns of unequal length for: \(sql)")
        try checkSize(columns)
        let arena = BindArena()
        defer { arena.free() }
        let bindings = unsafe arena.allocate(MYSQL_BIND.self, count: columns.count)
        for (index, column) in columns.enumerated() {
            switch column {
            case .ints(let values): unsafe bind(values, to: &bindings[index], arena)
            case .numbers(let values): unsafe bind(values, to: &bindings[index], arena)
            case .texts(let values): unsafe bind(values, to: &bindings[index], arena)
            case .bytes(let values): unsafe bind(values, MYSQL_TYPE_BLOB, to: &bindings[index], arena)
            }
        }
        // The statement stays in the cache: a later single execution must not find the array size.
        setArraySize(UInt32(rowCount))
        defer { setArraySize(0) }
        guard unsafe mysql_stmt_bind_param(raw, bindings) == 0, unsafe mysql_stmt_execute(raw) == 0 else {
            throw failure()
        }
    }

    private func setArraySize(_ count: UInt32) {
        var count = count
        let code = unsafe mysql_stmt_attr_set(raw, STMT_ATTR_ARRAY_SIZE, &count)
        precondition(code == 0, "the client library knows no array binding")
    }

    private func checkSize(_ columns: [BulkColumn]) throws(DatabaseError) {
        // Each value costs its indicator and at most 9 bytes of length beside its own bytes.
        let overheadByteCount = 10
        var byteCount = 0
        for column in columns {
            switch column {
            case .ints(let values): byteCount += values.count * (overheadByteCount + 8)
            case .numbers(let values): byteCount += values.count * (overheadByteCount + 8)
            case .texts(let values):
                for text in values { byteCount += overheadByteCount + (text?.utf8.count ?? 0) }
            case .bytes(let values):
                for bytes in values { byteCount += overheadByteCount + (bytes?.count ?? 0) }
            }
        }
        guard byteCount > Self.bulkByteCountMax else { return }
        throw DatabaseError(
            code: 1153,
            sqlState: "08S01",
            message: "\(byteCount) bytes in one bulk call, at most \(Self.bulkByteCountMax) are allowed",
            operation: "executeBulk"
        )
    }

    /// Column-wise: the buffer is an array of numbers.
    private func bind(_ values: [Int64?], to binding: inout MYSQL_BIND, _ arena: BindArena) {
        let numbers = unsafe arena.allocate(Int64.self, count: values.count)
        let indicators = unsafe arena.allocate(CChar.self, count: values.count)
        for (row, value) in values.enumerated() {
            unsafe numbers[row] = value ?? 0
            unsafe indicators[row] = Self.indicator(isNull: value == nil)
        }
        unsafe binding.buffer_type = MYSQL_TYPE_LONGLONG
        unsafe binding.buffer = UnsafeMutableRawPointer(numbers)
        unsafe binding.u.indicator = indicators
    }

    /// As above; without indicators none of the numbers is NULL.
    private func bind(_ values: [Int64], to binding: inout MYSQL_BIND, _ arena: BindArena) {
        let numbers = unsafe arena.allocate(Int64.self, count: values.count)
        unsafe numbers.update(from: values, count: values.count)
        unsafe binding.buffer_type = MYSQL_TYPE_LONGLONG
        unsafe binding.buffer = UnsafeMutableRawPointer(numbers)
    }

    /// Column-wise: the buffer is an array of pointers, beside an array of lengths; all bytes lie in one block.
    private func bind(
        _ values: [[UInt8]?],
        _ type: enum_field_types,
        to binding: inout MYSQL_BIND,
        _ arena: BindArena
    ) {
        let block = unsafe arena.allocate(UInt8.self, count: values.reduce(0) { $0 + ($1?.count ?? 0) })
        let starts = unsafe arena.allocate(UnsafeMutablePointer<UInt8>?.self, count: values.count)
        let lengths = unsafe arena.allocate(UInt.self, count: values.count)
        let indicators = unsafe arena.allocate(CChar.self, count: values.count)
        var next = unsafe block
        for (row, value) in values.enumerated() {
            let bytes = value ?? []
            unsafe next.update(from: bytes, count: bytes.count)
            unsafe starts[row] = next
            unsafe lengths[row] = UInt(bytes.count)
            unsafe indicators[row] = Self.indicator(isNull: value == nil)
            unsafe next += bytes.count
        }
        unsafe binding.buffer_type = type
        unsafe binding.buffer = UnsafeMutableRawPointer(starts)
        unsafe binding.length = lengths
        unsafe binding.u.indicator = indicators
    }

    /// As for bytes; the texts are copied into the block from where they lie.
    private func bind(_ values: [String?], to binding: inout MYSQL_BIND, _ arena: BindArena) {
        let byteCount = values.reduce(0) { $0 + ($1?.utf8.count ?? 0) }
        let block = unsafe arena.allocate(UInt8.self, count: byteCount)
        let starts = unsafe arena.allocate(UnsafeMutablePointer<UInt8>?.self, count: values.count)
        let lengths = unsafe arena.allocate(UInt.self, count: values.count)
        let indicators = unsafe arena.allocate(CChar.self, count: values.count)
        var next = unsafe block
        for row in values.indices {
            let text = values[row] ?? ""
            let bytes = text.utf8.span
            if !bytes.isEmpty {
                unsafe bytes.withUnsafeBufferPointer { source in
                    guard let start = source.baseAddress else { return }
                    unsafe next.update(from: start, count: source.count)
                }
            }
            unsafe starts[row] = next
            unsafe lengths[row] = UInt(bytes.count)
            unsafe indicators[row] = Self.indicator(isNull: values[row] == nil)
            unsafe next += bytes.count
        }
        unsafe binding.buffer_type = MYSQL_TYPE_STRING
        unsafe binding.buffer = UnsafeMutableRawPointer(starts)
        unsafe binding.length = lengths
        unsafe binding.u.indicator = indicators
    }

    private static func indicator(isNull: Bool) -> CChar {
        CChar((isNull ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE).rawValue)
    }
}
