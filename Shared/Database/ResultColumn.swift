import CMariaDB

/// What is known of a result's column: its name, and how its cells are fetched.
struct ResultColumn {
    /// How cells are fetched and told.
    enum Form: Equatable {
        case int, uint, double, text, bytes
        /// Text that is told as a number where it fits: a decimal without places.
        case wholeDecimal
    }

    let name: String
    let form: Form

    /// The character set that marks strings as binary.
    private static let binaryCharset: UInt32 = 63

    init(_ field: MYSQL_FIELD) {
        name = unsafe field.name.map { unsafe String(cString: $0) } ?? ""
        switch unsafe field.type {
        case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_INT24, MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG,
            MYSQL_TYPE_YEAR:
            form = unsafe field.flags & UInt32(UNSIGNED_FLAG) == 0 ? .int : .uint
        case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE:
            form = .double
        case MYSQL_TYPE_DECIMAL, MYSQL_TYPE_NEWDECIMAL:
            form = unsafe field.decimals == 0 ? .wholeDecimal : .text
        case MYSQL_TYPE_BIT:
            form = .bytes
        case MYSQL_TYPE_TINY_BLOB, MYSQL_TYPE_BLOB, MYSQL_TYPE_MEDIUM_BLOB, MYSQL_TYPE_LONG_BLOB,
            MYSQL_TYPE_STRING, MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_VARCHAR, MYSQL_TYPE_GEOMETRY:
            form = unsafe field.charsetnr == Self.binaryCharset ? .bytes : .text
        default:
            form = .text
        }
    }

    /// The columns of a result, in order.
    static func all(of result: UnsafeMutablePointer<MYSQL_RES>) -> [ResultColumn] {
        guard let fields = unsafe mysql_fetch_fields(result) else { return [] }
        return (0..<Int(unsafe mysql_num_fields(result))).map { unsafe ResultColumn(fields[$0]) }
    }

    /// The cell whose value the server printed as `bytes`; `bytes` is read only during the call.
    func cell(printed bytes: UnsafeRawBufferPointer) -> Cell {
        if form == .bytes { return .bytes(unsafe Array(bytes)) }
        let text = unsafe String(decoding: bytes, as: UTF8.self)
        return switch form {
        case .int, .wholeDecimal: Int64(text).map(Cell.int) ?? .text(text)
        case .uint: UInt64(text).map(Cell.uint) ?? .text(text)
        case .double: Double(text).map(Cell.double) ?? .text(text)
        case .text, .bytes: .text(text)
        }
    }
}
