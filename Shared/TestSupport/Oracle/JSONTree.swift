public import Foundation

/// A JSON tree as Foundation reads it, numbers as Decimal.
public enum JSONTree: Decodable, Equatable, Sendable {
    case null, bool(Bool), number(Decimal), string(String), array([JSONTree]), object([String: JSONTree])

    /// Foundation's tree of the bytes; nil if it cannot be parsed.
    public init?(parsing bytes: [UInt8]) {
        guard let tree = try? JSONDecoder().decode(JSONTree.self, from: Data(bytes)) else { return nil }
        self = tree
    }

    /// Reads any value.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let bool = try? container.decode(Bool.self) {
            self = .bool(bool)
        } else if let string = try? container.decode(String.self) {
            self = .string(string)
        } else if let array = try? container.decode([JSONTree].self) {
            self = .array(array)
        } else if let object = try? container.decode([String: JSONTree].self) {
            self = .object(object)
        } else {
            self = .number(try container.decode(Decimal.self))
        }
    }

    /// The members, if it is an object.
    public var members: [String: JSONTree]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The elements, if it is an array.
    public var elements: [JSONTree]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The text, if it is a string.
    public var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The number, if it is one.
    public var number: Decimal? {
        guard case .number(let number) = self else { return nil }
        return number
    }

    /// The number times ten to a power, rounded down; nil if it is none or does not fit.
    public func whole(timesTenTo power: Int = 0) -> Int64? {
        guard let number else { return nil }
        var product = number * pow(10, power)
        var rounded = Decimal()
        unsafe NSDecimalRound(&rounded, &product, 0, .down)
        return Int64("\(rounded)")
    }

    /// What a JSON Pointer (RFC 6901) names in the tree: a value, or a member that is missing in an object
    /// that is there. nil if it is no pointer or names neither.
    public func find(pointer: String) -> Place? {
        if pointer.isEmpty { return .value(self) }
        guard pointer.hasPrefix("/") else { return nil }
        var tree = self
        var tokens = pointer.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let last = tokens.removeLast()
        for token in tokens {
            guard case .value(let next)? = tree.step(token) else { return nil }
            tree = next
        }
        return tree.step(last)
    }

    /// Where a pointer leads.
    public enum Place: Equatable, Sendable {
        /// To this value.
        case value(JSONTree)
        /// To a member that its object does not have.
        case missing
    }

    private func step(_ token: Substring) -> Place? {
        let parts = token.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.dropFirst().allSatisfy({ $0.first == "0" || $0.first == "1" }) else { return nil }
        let name = String(token.replacing("~1", with: "/").replacing("~0", with: "~"))
        switch self {
        case .object(let members): return members[name].map { .value($0) } ?? .missing
        case .array(let elements):
            guard let index = Int(name), elements.indices.contains(index) else { return nil }
            return .value(elements[index])
        default: return nil
        }
    }
}
