internal import JobModel

/// Reads a message's members as what they should be, and notes a problem for each that is not.
///
/// Every method reads exactly one value, whatever it is, so that one bad member does not hide the next.
struct FieldReader: ~Copyable {
    /// The most problems that one answer names; more are only counted.
    static let problemCountMax = 64
    /// The highest disk index.
    static let diskIndexMax: Int64 = 65_535
    /// The most characters of a refused value that a problem repeats.
    private static let quotedCountMax = 40

    var reader: JSONReader
    /// The member whose object or array is read, not yet a JSON Pointer so that it costs nothing unless told. "": none.
    var parent = ""
    /// The element of `parent` that is read, if that is an array.
    var element: Int?
    private(set) var problems: [Problem] = []
    private var untoldCount = 0

    /// Reads the bytes from their beginning.
    init(_ body: Span<UInt8>) {
        reader = JSONReader(body)
    }

    /// The problems found, in the order of the body; at most `problemCountMax` and one that counts the rest.
    var allProblems: [Problem] {
        guard untoldCount > 0 else { return problems }
        return problems + [Problem(pointer: "", detail: "there are \(untoldCount) more problems like these")]
    }

    // MARK: Problems

    /// Notes that a member is not what it has to be.
    mutating func refuse<Field: ContractField>(_ field: Field, _ what: String) {
        note("/\(field.rawValue)", "\(what); must be \(field.expected)")
    }

    /// Notes the required members that an object lacks.
    mutating func refuseMissing<Field: ContractField>(
        of names: JSONNames<Field>,
        in object: JSONObject
    ) {
        for field in names.missing(in: object) { refuse(field, "is missing") }
    }

    /// Notes that the object or array element that is read is not what it has to be.
    mutating func refuseWhole(_ detail: String) {
        note("", detail)
    }

    private mutating func note(_ member: String, _ detail: String) {
        guard problems.count < Self.problemCountMax else {
            untoldCount += 1
            return
        }
        let place = (parent.isEmpty ? "" : "/\(parent)") + (element.map { "/\($0)" } ?? "")
        problems.append(Problem(pointer: place + member, detail: detail))
    }

    /// Notes a value of the wrong kind and passes it.
    mutating func refuse<Field: ContractField>(_ field: Field, kindOf value: JSONValue) throws(JSONFault) {
        refuse(field, Self.kind(of: value))
        try reader.skipRest(of: value)
    }

    private static func kind(of value: JSONValue) -> String {
        switch value {
        case .null: "is null"
        case .bool: "is true or false"
        case .number: "is a number"
        case .string: "is a string"
        case .array: "is an array"
        case .object: "is an object"
        }
    }

    private static func quoted(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard scalars.count > quotedCountMax else { return "\"\(scalars)\"" }
        return "\"\(String(scalars.prefix(quotedCountMax)))…\""
    }

    // MARK: Objects and arrays

    /// Enters the next value. nil, with a problem noted, if it is no object.
    mutating func object() throws(JSONFault) -> JSONObject? {
        let value = try reader.next()
        if case .object = value { return try reader.openObject() }
        refuseWhole("\(Self.kind(of: value)); must be an object")
        try reader.skipRest(of: value)
        return nil
    }

    /// Reads an array's elements, each by `read`, to which `element` tells its place. Null is an empty array
    /// where it may be; elements beyond the limit are one problem and are passed.
    ///
    /// - Returns: the count of elements; nil if it was no array.
    mutating func array<Field: ContractField>(
        _ field: Field,
        limit: Int,
        nullable: Bool,
        read: (inout FieldReader) throws(JSONFault) -> Void
    ) throws(JSONFault) -> Int? {
        let value = try reader.next()
        if nullable, case .null = value { return 0 }
        guard case .array = value else {
            try refuse(field, kindOf: value)
            return nil
        }
        var array = try reader.openArray()
        parent = field.rawValue
        while try reader.nextElement(&array) {
            if array.elementCount <= limit {
                element = array.elementCount - 1
                try read(&self)
            } else {
                try reader.skipRest(of: reader.next())
            }
        }
        parent = ""
        element = nil
        if array.elementCount > limit { refuse(field, "has \(array.elementCount) elements") }
        return array.elementCount
    }
}

// MARK: - Numbers

extension FieldReader {
    /// Reads an integer of the range. nil if it is null, or is refused.
    mutating func integer<Field: ContractField>(
        _ field: Field,
        in range: ClosedRange<Int64> = 0...Int64.max,
        nullable: Bool
    ) throws(JSONFault) -> Int64? {
        guard let whole = try whole(field, nullable: nullable) else { return nil }
        switch whole {
        case .value(_, hasFraction: true):
            refuse(field, "has a fraction")
        case .value(let value, hasFraction: false) where range.contains(value):
            return value
        case .value(let value, hasFraction: false):
            refuse(field, "is \(value)")
        case .negative:
            refuse(field, "is negative")
        case .tooLarge:
            refuse(field, "is 2^63 or more")
        }
        return nil
    }

    /// Reads a number that is not negative, times ten to the given power, rounded down. A number above the
    /// cap reads as the cap; without one, 2^63 and more is refused. nil if it is null, or is refused.
    mutating func roundedDown<Field: ContractField>(
        _ field: Field,
        timesTenTo power: Int = 0,
        cap: Int64?
    ) throws(JSONFault) -> Int64? {
        guard let whole = try whole(field, timesTenTo: power, nullable: true) else { return nil }
        switch whole {
        case .value(let value, hasFraction: _):
            return min(value, cap ?? value)
        case .tooLarge:
            if let cap { return cap }
            refuse(field, "is 2^63 or more")
        case .negative:
            refuse(field, "is negative")
        }
        return nil
    }

    @inline(__always)
    private mutating func whole<Field: ContractField>(
        _ field: Field,
        timesTenTo power: Int = 0,
        nullable: Bool
    ) throws(JSONFault) -> JSONNumber.Whole? {
        if power == 0, let value = reader.plainInteger() { return .value(value, hasFraction: false) }
        return try number(field, nullable: nullable)?.whole(timesTenTo: power)
    }

    /// Reads a number. nil if it is null, or is refused.
    mutating func number<Field: ContractField>(
        _ field: Field,
        nullable: Bool
    ) throws(JSONFault) -> JSONNumber? {
        // `next` tells more than is asked here.
        if reader.isAtDigit { return try reader.number() }
        let value = try reader.next()
        switch value {
        case .number(let number): return number
        case .null where nullable: return nil
        default: try refuse(field, kindOf: value)
        }
        return nil
    }
}

// MARK: - Strings and booleans

extension FieldReader {
    /// Reads a string. nil if it is null, or is refused.
    mutating func string<Field: ContractField>(
        _ field: Field,
        nullable: Bool
    ) throws(JSONFault) -> JSONString? {
        // As of numbers, nearly all are.
        if reader.byte == UInt8(ascii: "\"") { return try reader.string() }
        let value = try reader.next()
        switch value {
        case .string(let string): return string
        case .null where nullable: return nil
        default: try refuse(field, kindOf: value)
        }
        return nil
    }

    /// Reads a text of so many Unicode scalars. nil if it is null, or is refused.
    mutating func text<Field: ContractField>(
        _ field: Field,
        scalarCount: ClosedRange<Int>,
        nullable: Bool
    ) throws(JSONFault) -> String? {
        guard let string = try string(field, nullable: nullable) else { return nil }
        let text = reader.text(string)
        // Bytes are at least as many as scalars, and counted at once.
        if scalarCount.lowerBound <= 1, !text.isEmpty, text.utf8.count <= scalarCount.upperBound {
            return text
        }
        let count = text.unicodeScalars.count
        guard scalarCount.contains(count) else {
            refuse(field, count == 0 ? "is empty" : "has \(count) characters")
            return nil
        }
        return text
    }

    /// Reads one of the known words. nil if it is refused.
    mutating func word<Field: ContractField, Word>(
        _ field: Field,
        of words: JSONNames<Word>
    ) throws(JSONFault) -> Word? {
        guard let string = try string(field, nullable: false) else { return nil }
        if let index = reader.index(of: string, in: words) { return words[index] }
        refuse(field, "is \(Self.quoted(reader.text(string)))")
        return nil
    }

    /// Reads a string that has to be the given one; anything else is a problem.
    mutating func same<Field: ContractField>(_ field: Field, as text: String) throws(JSONFault) {
        guard let string = try string(field, nullable: false) else { return }
        guard reader.isEqual(string, to: text) else {
            refuse(field, "is \(Self.quoted(reader.text(string)))")
            return
        }
    }

    /// Reads a time. nil if it is null or "", or is refused.
    ///
    /// - Returns: milliseconds since 1970 UTC.
    mutating func timestamp<Field: ContractField>(_ field: Field) throws(JSONFault) -> Int64? {
        guard let string = try string(field, nullable: true), !string.isEmpty else { return nil }
        if let milliseconds = reader.milliseconds(string) { return milliseconds }
        refuse(field, "is \(Self.quoted(reader.text(string)))")
        return nil
    }

    /// Reads true or false; null is false. Anything else is a problem.
    mutating func flag<Field: ContractField>(_ field: Field) throws(JSONFault) -> Bool {
        let value = try reader.next()
        switch value {
        case .bool(let bool): return bool
        case .null: return false
        default: try refuse(field, kindOf: value)
        }
        return false
    }
}
