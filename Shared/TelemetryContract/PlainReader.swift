/// Reads JSON in the form that nearly all clients send: without spaces or escapes, in ASCII, and with nothing that is
/// wrong.
///
/// `JSONReader` takes all that JSON allows, and tells what is wrong and where, for which it has to know much at every
/// byte. This gives up at the first one that is not as usual, and knows only where it is. What it takes, that one takes,
/// and as the same values.
struct PlainReader {
    /// Something that is not of the plain form, or wrong.
    struct Unusual: Error {}

    /// Where an open object's reading stands.
    struct Object {
        /// The members that occurred, by their bit in `JSONNames`.
        fileprivate(set) var seen: UInt64 = 0
        /// The member that comes next if the sender keeps to the contract's order.
        fileprivate var expectedField = 0
    }

    private static let null: UInt64 = 0x6C6C_756E

    private var place = 0

    /// Begins with the first byte.
    ///
    /// - Throws: `Unusual` where there are fewer than the eight bytes that are loaded together.
    init(_ bytes: Span<UInt8>) throws(Unusual) {
        guard bytes.count >= 8 else { throw Unusual() }
    }

    /// Passes a character if it comes next.
    ///
    /// - Returns: whether it does.
    @inline(__always)
    mutating func takes(_ character: Unicode.Scalar, _ bytes: Span<UInt8>) -> Bool {
        guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
        place &+= 1
        return true
    }

    /// Passes a character that has to come next.
    @inline(__always)
    mutating func take(_ character: Unicode.Scalar, _ bytes: Span<UInt8>) throws(Unusual) {
        guard takes(character, bytes) else { throw Unusual() }
    }

    /// Checks that nothing follows.
    func finish(_ bytes: Span<UInt8>) throws(Unusual) {
        guard place == bytes.count else { throw Unusual() }
    }

    // MARK: Members

    /// Passes the name of the next member, which has to be a known one that has not occurred.
    @inline(__always)
    mutating func field<Field>(
        _ object: inout Object,
        of names: JSONNames<Field>,
        _ bytes: Span<UInt8>
    ) throws(Unusual) -> Field {
        var index = object.expectedField
        if let end = names.end(ofGuess: index, in: bytes, at: place) {
            place = end
        } else {
            index = try anyField(index, of: names, bytes)
        }
        let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: index)
        guard object.seen & bit == 0 else { throw Unusual() }
        object.seen |= bit
        object.expectedField = index &+ 1
        return names[index]
    }

    /// The same for one that is not expected: those behind it come first, since members are more often left out than told
    /// in another order.
    private mutating func anyField<Field>(
        _ expected: Int,
        of names: JSONNames<Field>,
        _ bytes: Span<UInt8>
    ) throws(Unusual) -> Int {
        var index = expected
        for _ in 0..<names.count {
            index = index < names.count - 1 ? index + 1 : 0
            if let end = names.end(ofGuess: index, in: bytes, at: place) {
                place = end
                return index
            }
        }
        throw Unusual()
    }

    // MARK: Values

    /// Reads null. false: something else comes.
    @inline(__always)
    mutating func null(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.paddedWord(at: place) & 0xFFFF_FFFF == Self.null else { return false }
        place &+= 4
        return true
    }

    /// Reads an integer that is not negative, of at most 15 digits.
    @inline(__always)
    mutating func integer(_ bytes: Span<UInt8>) throws(Unusual) -> Int64 {
        var (value, count) = bytes.paddedWord(at: place).digits
        if count == 8 {
            let (rest, restCount) = bytes.paddedWord(at: place &+ 8).digits
            value = value &* .powerOfTen(restCount) &+ rest
            count &+= restCount
        }
        guard 1..<16 ~= count, count == 1 || bytes[place] != UInt8(ascii: "0") else { throw Unusual() }
        place &+= count
        return Int64(truncatingIfNeeded: value)
    }

    /// The same, or null.
    @inline(__always)
    mutating func integerOrNull(_ bytes: Span<UInt8>) throws(Unusual) -> Int64? {
        null(bytes) ? nil : try integer(bytes)
    }

    /// Reads a number that is not negative, in hundredths, rounded down; or null. Before the point it has at most 15 digits.
    mutating func hundredthsOrNull(_ bytes: Span<UInt8>) throws(Unusual) -> Int64? {
        guard !null(bytes) else { return nil }
        let whole = try integer(bytes) * 100
        guard takes(".", bytes) else { return whole }
        let start = place
        var count = 0
        repeat {
            count = bytes.paddedWord(at: place).digits.count
            place &+= count
        } while count == 8
        switch place - start {
        case 0: throw Unusual()
        case 1: return whole + 10 * digit(bytes[start])
        default: return whole + 10 * digit(bytes[start]) + digit(bytes[start + 1])
        }
    }

    private func digit(_ byte: UInt8) -> Int64 { Int64(byte &- UInt8(ascii: "0")) }

    /// Reads a string, and tells where its characters lie.
    @inline(__always)
    mutating func string(_ bytes: Span<UInt8>) throws(Unusual) -> Range<Int> {
        try take("\"", bytes)
        let start = place
        let end = bytes.endOfPlainText(from: start)
        guard end < bytes.count, bytes[end] == UInt8(ascii: "\"") else { throw Unusual() }
        place = end &+ 1
        return start..<end
    }

    /// Reads a string that has to be the given one.
    mutating func same(as text: String, _ bytes: Span<UInt8>) throws(Unusual) {
        let range = try string(bytes)
        guard bytes.extracting(range).isEqual(to: text.utf8.span) else { throw Unusual() }
    }

    /// Reads one of the known words.
    mutating func word<Word>(of words: JSONNames<Word>, _ bytes: Span<UInt8>) throws(Unusual) -> Word {
        let range = try string(bytes)
        guard let index = words.index(of: bytes.extracting(range)) else { throw Unusual() }
        return words[index]
    }

    /// Reads a text of so many characters at the most.
    mutating func text(countMax: Int, _ bytes: Span<UInt8>) throws(Unusual) -> String {
        let range = try string(bytes)
        guard range.count <= countMax else { throw Unusual() }
        // `endOfPlainText` passes nothing else.
        return unsafe String(copying: UTF8Span(unchecked: bytes.extracting(range), isKnownASCII: true))
    }

    /// Reads a time: milliseconds since 1970 UTC.
    mutating func timestamp(_ bytes: Span<UInt8>) throws(Unusual) -> Int64 {
        let range = try string(bytes)
        guard let milliseconds = RFC3339.milliseconds(bytes.extracting(range)) else { throw Unusual() }
        return milliseconds
    }
}
