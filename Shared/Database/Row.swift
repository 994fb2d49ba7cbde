/// One cell of a result.
public enum Cell: Sendable, Equatable {
    case null
    /// Signed whole numbers, and decimals without places (a SUM of whole numbers) that fit.
    case int(Int64)
    /// Unsigned whole numbers.
    case uint(UInt64)
    case double(Double)
    /// Text; also decimals and points in time, as the server prints them.
    case text(String)
    /// Binary strings and bit fields.
    case bytes([UInt8])
}

/// One row of a result. Columns count from 0.
public struct Row: Sendable, Equatable {
    /// The cells, in the order of the statement's columns.
    public let cells: [Cell]
    let columnNames: [String]

    /// Whether the cell is NULL.
    public func isNull(_ column: Int) -> Bool {
        cells[column] == .null
    }

    /// The cell as a whole number.
    /// - Throws: `DatabaseError` with code 0 where it is NULL, no whole number, or above `Int64.max`.
    public func int(_ column: Int) throws(DatabaseError) -> Int64 {
        switch cells[column] {
        case .int(let number): return number
        case .uint(let number):
            guard let number = Int64(exactly: number) else { throw mismatch(column, wanted: "Int64") }
            return number
        default: throw mismatch(column, wanted: "a whole number")
        }
    }

    /// The cell as a number with places, decimals among them.
    /// - Throws: `DatabaseError` with code 0 where it is NULL or no number.
    public func double(_ column: Int) throws(DatabaseError) -> Double {
        switch cells[column] {
        case .int(let number): return Double(number)
        case .uint(let number): return Double(number)
        case .double(let number): return number
        case .text(let text):
            guard let number = Double(text) else { throw mismatch(column, wanted: "a number") }
            return number
        default: throw mismatch(column, wanted: "a number")
        }
    }

    /// The cell as text.
    /// - Throws: `DatabaseError` with code 0 where it is NULL or of another type.
    public func text(_ column: Int) throws(DatabaseError) -> String {
        guard case .text(let text) = cells[column] else { throw mismatch(column, wanted: "text") }
        return text
    }

    /// The cell as bytes; a text's bytes are its UTF-8.
    /// - Throws: `DatabaseError` with code 0 where it is NULL or of another type.
    public func bytes(_ column: Int) throws(DatabaseError) -> [UInt8] {
        switch cells[column] {
        case .bytes(let bytes): return bytes
        case .text(let text): return Array(text.utf8)
        default: throw mismatch(column, wanted: "bytes")
        }
    }

    /// The cell as a whole number. nil where it is NULL.
    /// - Throws: `DatabaseError` with code 0 where it is no whole number.
    public func optionalInt(_ column: Int) throws(DatabaseError) -> Int64? {
        isNull(column) ? nil : try int(column)
    }

    /// The cell as a number with places. nil where it is NULL.
    /// - Throws: `DatabaseError` with code 0 where it is no number.
    public func optionalDouble(_ column: Int) throws(DatabaseError) -> Double? {
        isNull(column) ? nil : try double(column)
    }

    /// The cell as text. nil where it is NULL.
    /// - Throws: `DatabaseError` with code 0 where it is of another type.
    public func optionalText(_ column: Int) throws(DatabaseError) -> String? {
        isNull(column) ? nil : try text(column)
    }

    private func mismatch(_ column: Int, wanted: String) -> DatabaseError {
        let found =
            switch cells[column] {
            case .null: "NULL"
            case .int: "a whole number"
            case .uint: "an unsigned whole number"
            case .double: "a floating-point number"
            case .text: "text"
            case .bytes: "bytes"
            }
        return DatabaseError(
            code: 0,
            sqlState: "HY000",
            message: "column \(column) (\(columnNames[column])) holds \(found), expected \(wanted)",
            operation: "reading a row"
        )
    }
}
