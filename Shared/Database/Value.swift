/// A parameter of a prepared statement.
public enum Value: Sendable, Equatable {
    case null
    case int(Int64)
    case text(String)
    case bytes([UInt8])

    /// A number, or NULL for nil.
    public init(_ number: Int64?) {
        self = number.map(Value.int) ?? .null
    }

    /// A text, or NULL for nil.
    public init(_ text: String?) {
        self = text.map(Value.text) ?? .null
    }
}

/// One column's values for `Statement.executeBulk`, a row each; nil is NULL.
public enum BulkColumn: Sendable, Equatable {
    case ints([Int64?])
    /// None of them is NULL.
    case numbers([Int64])
    case texts([String?])
    case bytes([[UInt8]?])

    /// The number of values.
    var count: Int {
        switch self {
        case .ints(let values): values.count
        case .numbers(let values): values.count
        case .texts(let values): values.count
        case .bytes(let values): values.count
        }
    }
}
