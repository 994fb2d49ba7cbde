/// Strings that are known beforehand (member names, status words), to be found by their bytes alone.
struct JSONNames<Name: RawRepresentable<String> & CaseIterable & Sendable & Equatable>: Sendable {
    private let names: [Name]
    private let texts: [UInt8]
    private let entries: [Entry]

    private struct Entry {
        /// Length, first and last byte: nearly always enough to tell the names apart.
        let signature: Int
        let start: Int
    }

    /// Takes all cases of the type.
    ///
    /// - Precondition: at most 64 cases, none of them "": an object's bits have to hold them.
    init(_: Name.Type = Name.self) {
        var texts: [UInt8] = []
        var entries: [Entry] = []
        names = Array(Name.allCases)
        precondition(names.count <= UInt64.bitWidth, "\(Name.self) has more than 64 names")
        for name in names {
            let bytes = Array(name.rawValue.utf8)
            entries.append(Entry(signature: Self.signature(bytes.span), start: texts.count))
            texts += bytes
        }
        self.texts = texts
        self.entries = entries
    }

    /// The name at a place that `index(of:)` told.
    subscript(index: Int) -> Name { names[index] }

    /// The names that an object lacks.
    func missing(in object: JSONObject, of required: [Name]) -> [Name] {
        required.filter { name in
            names.firstIndex(of: name).map { object.seen & (1 << UInt64($0)) == 0 } ?? false
        }
    }

    /// The place of these bytes among the names, nil if they are none of them. The guess is tried first.
    func index(of bytes: Span<UInt8>, guess: Int = 0) -> Int? {
        guard !bytes.isEmpty else { return nil }
        let signature = Self.signature(bytes)
        let entries = entries.span
        let texts = texts.span
        if guess < entries.count, entries[guess].signature == signature {
            let start = entries[guess].start
            if texts.extracting(start..<(start + bytes.count)).isEqual(to: bytes) { return guess }
        }
        for place in entries.indices where entries[place].signature == signature {
            let start = entries[place].start
            if texts.extracting(start..<(start + bytes.count)).isEqual(to: bytes) { return place }
        }
        return nil
    }

    private static func signature(_ bytes: Span<UInt8>) -> Int {
        bytes.count << 16 | Int(bytes[0]) << 8 | Int(bytes[bytes.count - 1])
    }
}
