/// A number as it was written: decimal digits and an exponent, so that no integer is rounded on its way.
struct JSONNumber {
    /// What becomes of a number where an integer is due.
    enum Whole {
        /// The number, without its fraction.
        case value(Int64, hasFraction: Bool)
        /// Below zero.
        case negative
        /// 2^63 or more.
        case tooLarge
    }

    /// Offset of its first byte.
    let start: Int
    /// Offset of the byte behind it.
    let end: Int
    let isNegative: Bool
    /// The first 19 digits, without leading zeros: all that fit for certain.
    let digits: UInt64
    /// The power of ten that the digits are multiplied with.
    let exponent: Int
    /// Whether digits other than zero follow the 19 that are kept.
    let hasMoreDigits: Bool

    /// The number times ten to the given power, rounded towards zero.
    func whole(timesTenTo power: Int = 0) -> Whole {
        guard digits != 0 else { return .value(0, hasFraction: false) }
        guard !isNegative else { return .negative }
        var value = digits
        // Digits that were not kept are behind the point: in front of it they would make 10^19 or more.
        var hasFraction = hasMoreDigits
        var exponent = exponent + power
        while exponent > 0 {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow else { return .tooLarge }
            value = product
            exponent -= 1
        }
        while exponent < 0, value > 0 {
            let (quotient, remainder) = value.quotientAndRemainder(dividingBy: 10)
            if remainder != 0 { hasFraction = true }
            value = quotient
            exponent += 1
        }
        guard let value = Int64(exactly: value) else { return .tooLarge }
        return .value(value, hasFraction: hasFraction)
    }
}

extension JSONReader {
    /// Beyond this no exponent makes a difference; it keeps the sums of the exponents from overflowing.
    private static let exponentMax = 1_000_000_000

    /// Whether a number without a sign begins here.
    var isAtDigit: Bool { byte.map { $0 &- UInt8(ascii: "0") < 10 } ?? false }

    /// Reads the number that begins here, at its sign or first digit.
    mutating func number() throws(JSONFault) -> JSONNumber {
        let start = position
        let isNegative = byte == UInt8(ascii: "-")
        if isNegative { position += 1 }
        var digits = Digits()
        let isZero = byte == UInt8(ascii: "0")
        let count = scan { digits.append($0) }
        guard count > 0 else { throw fault("a number has no digits") }
        guard !isZero || count == 1 else { throw fault("a number has a zero in front", at: start) }
        if byte == UInt8(ascii: ".") {
            position += 1
            let count = scan { digits.appendFraction($0) }
            guard count > 0 else { throw fault("a number has no digits behind its point") }
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            digits.exponent += try exponent()
        }
        return JSONNumber(
            start: start,
            end: position,
            isNegative: isNegative,
            digits: digits.value,
            exponent: digits.exponent,
            hasMoreDigits: digits.hasMore
        )
    }

    /// Passes the number that begins here, if it is a plain integer: nothing but digits, 15 at the most. nil: whatever
    /// it is, it is still to be read.
    @inline(__always)
    mutating func plainInteger() -> Int64? {
        let start = position
        guard start + 16 <= bytes.count else { return nil }
        var (value, count) = bytes.span.digits(at: start)
        if count == 8 {
            let (rest, restCount) = bytes.span.digits(at: start + 8)
            value = value &* .powerOfTen(restCount) &+ rest
            count += restCount
        }
        guard (1..<16).contains(count), count == 1 || bytes.span[start] != UInt8(ascii: "0") else {
            return nil
        }
        let next = bytes.span[start + count]
        guard next != UInt8(ascii: "."), next | 0x20 != UInt8(ascii: "e") else { return nil }
        position = start + count
        return Int64(truncatingIfNeeded: value)
    }

    /// The number as it was written.
    func text(_ number: JSONNumber) -> String {
        text(number.start..<number.end)
    }

    private mutating func exponent() throws(JSONFault) -> Int {
        position += 1
        let isNegative = byte == UInt8(ascii: "-")
        if isNegative || byte == UInt8(ascii: "+") { position += 1 }
        var value = 0
        let count = scan { value = min(value * 10 + Int($0), Self.exponentMax) }
        guard count > 0 else { throw fault("a number has no digits in its exponent") }
        return isNegative ? -value : value
    }

    /// Passes the digits here and tells their count.
    private mutating func scan(_ take: (UInt8) -> Void) -> Int {
        let start = position
        while let digit = byte.map({ $0 &- UInt8(ascii: "0") }), digit < 10 {
            take(digit)
            position += 1
        }
        return position - start
    }
}

/// Gathers a number's digits while it is read.
private struct Digits {
    /// The largest value that any further digit still fits behind: 19 digits at most are kept.
    private static let valueMax: UInt64 = 999_999_999_999_999_999

    var value: UInt64 = 0
    var exponent = 0
    var hasMore = false

    mutating func append(_ digit: UInt8) {
        if value <= Self.valueMax {
            value = value * 10 + UInt64(digit)
        } else {
            exponent += 1
            if digit != 0 { hasMore = true }
        }
    }

    mutating func appendFraction(_ digit: UInt8) {
        append(digit)
        exponent -= 1
    }
}
