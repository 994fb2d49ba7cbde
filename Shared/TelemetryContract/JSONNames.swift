/// Strings that are known beforehand (member names, status words), to be found by their bytes alone.
struct JSONNames<Name: RawRepresentable<String> & CaseIterable & Sendable & Equatable>: Sendable {
    private let names: [Name]
    /// Each name in its quotes, with the colon behind them that a member's name has.
    private let texts: [UInt8]
    private let entries: [Entry]
    private let required: [Name]
    private let requiredBits: UInt64

    private struct Entry {
        /// Length, first and last byte: nearly always enough to tell the names apart.
        let signature: Int
        /// Where the name itself lies in the texts.
        let start: Int
        /// The bytes of the name with its quotes and colon.
        let quotedCount: Int
        /// The same as three words, and which bits of three words are the name's: names are compared more than anything
        /// else. Longer ones are found by their bytes alone.
        let words: [3 of UInt64]
        let masks: [3 of UInt64]
    }

    /// Takes all cases of the type, of which an object has to have the required ones.
    ///
    /// - Precondition: at most 64 cases, none of them "": an object's bits have to hold them.
    init(_: Name.Type = Name.self, required: [Name] = []) {
        var texts: [UInt8] = []
        var entries: [Entry] = []
        var requiredBits: UInt64 = 0
        names = Array(Name.allCases)
        precondition(names.count <= UInt64.bitWidth, "\(Name.self) has more than 64 names")
        for (place, name) in names.enumerated() {
            let bytes = Array(name.rawValue.utf8)
            let quoted = Array("\"\(name.rawValue)\":".utf8)
            var words = [3 of UInt64](repeating: 0)
            var masks = [3 of UInt64](repeating: 0)
            for (place, byte) in quoted.enumerated().prefix(24) {
                words[place / 8] |= UInt64(byte) << UInt64(8 * (place % 8))
                masks[place / 8] |= 0xFF << UInt64(8 * (place % 8))
            }
            entries.append(
                Entry(
                    signature: Self.signature(bytes.span),
                    start: texts.count + 1,
                    quotedCount: quoted.count,
                    words: words,
                    masks: masks
                )
            )
            texts += quoted
            if required.contains(name) { requiredBits |= 1 << UInt64(place) }
        }
        self.texts = texts
        self.entries = entries
        self.required = required
        self.requiredBits = requiredBits
    }

    /// The name at a place that `index(of:)` told.
    subscript(index: Int) -> Name { names[index] }

    /// How many names there are.
    var count: Int { names.count }

    /// Whether the bits of the names that an object has are those of all required ones, and others.
    func areAllThere(_ seen: UInt64) -> Bool { seen & requiredBits == requiredBits }

    /// The required names that an object lacks.
    func missing(in object: JSONObject) -> [Name] {
        guard !areAllThere(object.seen) else { return [] }
        return required.filter { name in
            names.firstIndex(of: name).map { object.seen & (1 << UInt64($0)) == 0 } ?? false
        }
    }

    /// The offset behind a member's name and its colon, if these bytes are the guess, without spaces; nil if they are
    /// anything else.
    @inline(__always)
    func end(ofGuess guess: Int, in bytes: Span<UInt8>, at offset: Int) -> Int? {
        let entries = entries.span
        guard guess < entries.count else { return nil }
        let count = entries[guess].quotedCount
        guard count <= 24, offset &+ 24 <= bytes.count else {
            return end(ofRareGuess: guess, in: bytes, at: offset)
        }
        // All at once, since a loop over the words of a name costs more than to compare too many.
        let text = bytes.extracting(offset..<offset &+ 24)
        let differences =
            (text.word(at: 0) ^ entries[guess].words[0]) & entries[guess].masks[0]
            | (text.word(at: 8) ^ entries[guess].words[1]) & entries[guess].masks[1]
            | (text.word(at: 16) ^ entries[guess].words[2]) & entries[guess].masks[2]
        return differences == 0 ? offset &+ count : nil
    }

    /// The same for a long name, or near the end of the bytes.
    private func end(ofRareGuess guess: Int, in bytes: Span<UInt8>, at offset: Int) -> Int? {
        let (start, end) = (entries[guess].start - 1, offset + entries[guess].quotedCount)
        guard end <= bytes.count else { return nil }
        let text = texts.span.extracting(start..<start + entries[guess].quotedCount)
        return text.isEqual(to: bytes.extracting(offset..<end)) ? end : nil
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
