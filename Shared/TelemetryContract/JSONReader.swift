/// Why some bytes are not JSON that we take, and where.
struct JSONFault: Error, Equatable {
    /// Bytes before the fault.
    var offset: Int
    /// What is wrong, to follow "the body is not valid JSON: ".
    var reason: String
}

/// One value, as it begins. Scalars are consumed; of an array or an object nothing is yet.
enum JSONValue {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(JSONString)
    case array
    case object
}

/// Where an open object's reading stands.
struct JSONObject {
    /// The known members that occurred, by their bit in `JSONNames`.
    fileprivate(set) var seen: UInt64 = 0
    fileprivate var memberCount = 0
    /// The known member that comes next if the sender keeps to the contract's order, as senders do.
    fileprivate var expectedField = 0
    fileprivate let firstUnknownName: Int
}

/// A member of an object, as its name was read.
enum JSONMember<Field> {
    case known(Field)
    case unknown(JSONString)
}

/// Where an open array's reading stands.
struct JSONArray {
    /// The elements begun so far.
    fileprivate(set) var elementCount = 0
}

/// Reads JSON (RFC 8259) in one pass, front to back, and builds no tree.
///
/// Stricter than the RFC asks where two readers could otherwise understand two things: a member name occurs
/// once in its object, a `\u` surrogate has its partner, and everything has a limit. What the caller skips is
/// checked as thoroughly as what it reads. Not copied, either; but Swift 6.3 cannot compile that unoptimized ("copy of
/// noncopyable typed value").
struct JSONReader: ~Copyable {
    /// The most arrays and objects that may be open at once.
    static let depthMax = 32
    /// The most members in one object. It bounds the search for a name that occurs twice.
    static let memberCountMax = 256
    /// The most elements in one array.
    static let elementCountMax = 4096
    /// The longest string, in bytes as written.
    static let stringByteCountMax = 65_536

    let bytes: [UInt8]
    var position = 0
    private var depth = 0
    private var unknownNames: [UnknownName] = []

    /// Reads the bytes from their beginning.

    init(_ bytes: Span<UInt8>) {
        self.bytes = [UInt8](capacity: bytes.count) { $0.append(copying: bytes) }
    }

    /// Begins the next value.
    mutating func next() throws(JSONFault) -> JSONValue {
        guard let first = skipWhitespace() else {
            throw fault(bytes.isEmpty ? "it is empty" : "it ends where a value is due")
        }
        switch first {
        case UInt8(ascii: "\""):
            return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return .number(try number())
        case UInt8(ascii: "{"):
            return .object
        case UInt8(ascii: "["):
            return .array
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case 0xEF where position == 0:
            throw fault("it begins with a byte order mark, or with a letter outside a string")
        default:
            throw fault("this byte begins no value")
        }
    }

    /// Reads past what `next` began, checking it.
    mutating func skipRest(of value: JSONValue) throws(JSONFault) {
        switch value {
        case .array:
            var array = try openArray()
            while try nextElement(&array) { try skipRest(of: next()) }
        case .object:
            var object = try openObject()
            while let name = try nextName(&object) {
                try remember(name, in: object)
                try skipRest(of: next())
            }
        case .null, .bool, .number, .string:
            break
        }
    }

    /// Checks that nothing but whitespace is left.
    mutating func finish() throws(JSONFault) {
        guard skipWhitespace() == nil else { throw fault("something follows the value") }
    }

    /// A fault at this place, or at another.
    func fault(_ reason: String, at offset: Int? = nil) -> JSONFault {
        JSONFault(offset: offset ?? position, reason: reason)
    }

    /// The byte here, nil at the end.
    var byte: UInt8? {
        position < bytes.count ? bytes.span[position] : nil
    }

    /// Passes whitespace and tells the byte behind it, nil at the end.
    @inline(__always)
    private mutating func skipWhitespace() -> UInt8? {
        while let byte {
            switch byte {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return byte
            }
        }
        return nil
    }

    private mutating func literal(_ text: String) throws(JSONFault) {
        let start = position
        for expected in text.utf8 {
            guard byte == expected else { throw fault("only null, true and false are words", at: start) }
            position += 1
        }
    }
}

// MARK: - Arrays and objects

extension JSONReader {
    /// Enters the object that `next` found.
    mutating func openObject() throws(JSONFault) -> JSONObject {
        try descend()
        return JSONObject(firstUnknownName: unknownNames.count)
    }

    /// Enters the array that `next` found.
    mutating func openArray() throws(JSONFault) -> JSONArray {
        try descend()
        return JSONArray()
    }

    /// Goes to the next member that the caller knows; the others are checked and passed. nil: the object
    /// ended.
    mutating func nextField<Field>(
        _ object: inout JSONObject,
        of names: JSONNames<Field>
    ) throws(JSONFault) -> Field? {
        if let field = likelyField(&object, of: names) { return field }
        while let member = try nextMember(&object, of: names) {
            switch member {
            case .known(let field): return field
            case .unknown: try skipRest(of: next())
            }
        }
        return nil
    }

    /// Goes to the member that is expected, if it comes next in its usual form: without spaces, escapes or anything that
    /// is wrong. Most do, and are found by one comparison. nil: what comes next is still to be read.
    private mutating func likelyField<Field>(
        _ object: inout JSONObject,
        of names: JSONNames<Field>
    ) -> Field? {
        let index = object.expectedField
        let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: index)
        let isFirst = object.memberCount == 0
        guard object.seen & bit == 0, object.memberCount < Self.memberCountMax,
            isFirst || byte == UInt8(ascii: ","),
            let end = names.end(ofGuess: index, in: bytes.span, at: isFirst ? position : position &+ 1)
        else { return nil }
        position = end
        object.memberCount &+= 1
        object.seen |= bit
        object.expectedField = index &+ 1
        return names[index]
    }

    /// Goes to the next member, whether the caller knows it or not; its value comes next. nil: the object
    /// ended.
    mutating func nextMember<Field>(
        _ object: inout JSONObject,
        of names: JSONNames<Field>
    ) throws(JSONFault) -> JSONMember<Field>? {
        guard let name = try nextName(&object) else { return nil }
        guard let index = index(of: name, in: names, guess: object.expectedField) else {
            try remember(name, in: object)
            return .unknown(name)
        }
        let bit: UInt64 = 1 << UInt64(index)
        guard object.seen & bit == 0 else { throw repeated(name) }
        object.seen |= bit
        object.expectedField = index + 1
        return .known(names[index])
    }

    /// Goes to the next element. false: the array ended.
    mutating func nextElement(_ array: inout JSONArray) throws(JSONFault) -> Bool {
        let next = skipWhitespace()
        if next == UInt8(ascii: "]") {
            position += 1
            depth -= 1
            return false
        }
        if array.elementCount > 0 {
            guard next == UInt8(ascii: ",") else { throw fault("a comma or ] is due") }
            position += 1
        }
        guard array.elementCount < Self.elementCountMax else {
            throw fault("an array has more than \(Self.elementCountMax) elements")
        }
        array.elementCount += 1
        return true
    }

    private mutating func nextName(_ object: inout JSONObject) throws(JSONFault) -> JSONString? {
        var next = skipWhitespace()
        if next == UInt8(ascii: "}") {
            position += 1
            depth -= 1
            unknownNames.removeLast(unknownNames.count - object.firstUnknownName)
            return nil
        }
        if object.memberCount > 0 {
            guard next == UInt8(ascii: ",") else { throw fault("a comma or } is due") }
            position += 1
            next = skipWhitespace()
        }
        guard next == UInt8(ascii: "\"") else { throw fault("a member's name in quotes is due") }
        guard object.memberCount < Self.memberCountMax else {
            throw fault("an object has more than \(Self.memberCountMax) members")
        }
        object.memberCount += 1
        let name = try string()
        guard skipWhitespace() == UInt8(ascii: ":") else { throw fault("a colon is due") }
        position += 1
        return name
    }

    private mutating func descend() throws(JSONFault) {
        guard depth < Self.depthMax else { throw fault("it is nested deeper than \(Self.depthMax) levels") }
        depth += 1
        position += 1
    }

    /// Notes a name that the caller does not know, and refuses it if its object has had it.
    private mutating func remember(_ name: JSONString, in object: JSONObject) throws(JSONFault) {
        let unescaped = unescaped(name)
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in unescaped { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for earlier in unknownNames[object.firstUnknownName...]
        where earlier.hash == hash && self.unescaped(earlier.name) == unescaped {
            throw repeated(name)
        }
        unknownNames.append(UnknownName(hash: hash, name: name))
    }

    private func repeated(_ name: JSONString) -> JSONFault {
        fault("a member's name occurs twice in one object", at: name.start)
    }
}

/// A name that occurred in an open object, kept to find it again.
private struct UnknownName {
    /// FNV-1a of the name without its escapes: it spares most comparisons.
    let hash: UInt64
    let name: JSONString
}
