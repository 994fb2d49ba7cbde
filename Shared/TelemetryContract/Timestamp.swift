/// Times as RFC 3339 writes them, to and from milliseconds since 1970 UTC.
public enum RFC3339 {
    /// The time in UTC with whole seconds (the rest is cut off), such as `2025-10-10T14:23:45Z`.
    ///
    /// - Parameter milliseconds: since 1970 UTC; a time outside the years 0 to 9999 reads as the nearest one
    ///   inside, since RFC 3339 has four digits for the year.
    /// - Returns: 20 characters.
    public static func text(milliseconds: Int64) -> String {
        let bytes = [UInt8](capacity: 20) { append(milliseconds: milliseconds, to: &$0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes the text of `text(milliseconds:)` as ASCII.
    static func append(milliseconds: Int64, to text: inout OutputSpan<UInt8>) {
        let seconds = min(max(Calendar.floorDivide(milliseconds, by: 1000), secondsMin), secondsMax)
        let day = Calendar.floorDivide(seconds, by: Calendar.secondsPerDay)
        let second = seconds - day * Calendar.secondsPerDay
        let date = Calendar.date(ofDay: day)
        pair(date.year / 100, &text)
        pair(date.year % 100, &text)
        text.append(UInt8(ascii: "-"))
        pair(date.month, &text)
        text.append(UInt8(ascii: "-"))
        pair(date.day, &text)
        text.append(UInt8(ascii: "T"))
        pair(second / 3600, &text)
        text.append(UInt8(ascii: ":"))
        pair(second / 60 % 60, &text)
        text.append(UInt8(ascii: ":"))
        pair(second % 60, &text)
        text.append(UInt8(ascii: "Z"))
    }

    /// The milliseconds since 1970 UTC that a text stands for, digits beyond them cut off; nil unless it is
    /// an RFC 3339 date-time.
    ///
    /// A leap second, which only 23:59 UTC can have, is the second after it.
    static func milliseconds(_ text: Span<UInt8>) -> Int64? {
        var scanner = Scanner(text.count)
        guard let year = scanner.digits(4, in: text), scanner.take("-", "-", in: text),
            let month = scanner.digits(2, in: text), scanner.take("-", "-", in: text),
            let day = scanner.digits(2, in: text), scanner.take("T", "t", in: text),
            let hour = scanner.digits(2, in: text), scanner.take(":", ":", in: text),
            let minute = scanner.digits(2, in: text), scanner.take(":", ":", in: text),
            let second = scanner.digits(2, in: text),
            let fraction = scanner.fraction(in: text),
            let offset = scanner.offsetMinutes(in: text), scanner.isAtEnd,
            (1...12).contains(month), (1...Calendar.dayCount(ofMonth: month, year: year)).contains(day),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        let minutes = hour * 60 + minute - offset
        guard second < 60 || Calendar.floorRemainder(minutes, by: 1440) == 1439 else { return nil }
        let days = Calendar.day(year: year, month: month, day: day)
        return (days * Calendar.secondsPerDay + minutes * 60 + second) * 1000 + fraction
    }

    private static let secondsMin = Calendar.day(year: 0, month: 1, day: 1) * Calendar.secondsPerDay
    private static let secondsMax = Calendar.day(year: 10_000, month: 1, day: 1) * Calendar.secondsPerDay - 1

    /// Writes two digits of a number below 100.
    private static func pair(_ value: Int64, _ room: inout OutputSpan<UInt8>) {
        // As a small number: divided without its sign and checks.
        let value = UInt8(truncatingIfNeeded: value)
        room.append(UInt8(ascii: "0") &+ value / 10)
        room.append(UInt8(ascii: "0") &+ value % 10)
    }
}

/// Walks over the text of a time.
private struct Scanner {
    private var index = 0
    private let count: Int

    init(_ count: Int) {
        self.count = count
    }

    var isAtEnd: Bool { index == count }

    mutating func digits(_ digitCount: Int, in text: Span<UInt8>) -> Int64? {
        guard count - index >= digitCount else { return nil }
        var value: Int64 = 0
        for _ in 0..<digitCount {
            guard let digit = digit(in: text) else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    mutating func take(_ upper: Unicode.Scalar, _ lower: Unicode.Scalar, in text: Span<UInt8>) -> Bool {
        guard index < count, text[index] == UInt8(ascii: upper) || text[index] == UInt8(ascii: lower)
        else { return false }
        index += 1
        return true
    }

    /// Milliseconds of the fraction, 0 if there is none; nil if its digits are missing.
    mutating func fraction(in text: Span<UInt8>) -> Int64? {
        guard take(".", ".", in: text) else { return 0 }
        guard let first = digit(in: text) else { return nil }
        var milliseconds = first * 100
        var weight: Int64 = 10
        while let digit = digit(in: text) {
            milliseconds += digit * weight
            weight /= 10
        }
        return milliseconds
    }

    /// Minutes that local time is ahead of UTC; nil if there is no valid offset.
    mutating func offsetMinutes(in text: Span<UInt8>) -> Int64? {
        if take("Z", "z", in: text) { return 0 }
        let isAhead = take("+", "+", in: text)
        guard isAhead || take("-", "-", in: text), let hours = digits(2, in: text), take(":", ":", in: text),
            let minutes = digits(2, in: text), hours < 24, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (isAhead ? 1 : -1)
    }

    private mutating func digit(in text: Span<UInt8>) -> Int64? {
        guard index < count else { return nil }
        let digit = text[index] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        index += 1
        return Int64(digit)
    }
}

/// The Gregorian calendar, extended to all years as RFC 3339 does.
///
/// Days are counted as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms": years begin in
/// March, so that the leap day is the last of its year.
private enum Calendar {
    static let secondsPerDay: Int64 = 86_400
    private static let daysPerEra: Int64 = 146_097
    /// Days from 0000-03-01 to 1970-01-01.
    private static let epochDay: Int64 = 719_468

    /// Days from 1970-01-01 to the date.
    static func day(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = floorDivide(year, by: 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * daysPerEra + dayOfEra - epochDay
    }

    /// The date that is so many days after 1970-01-01.
    static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let day = day + epochDay
        let era = floorDivide(day, by: daysPerEra)
        let dayOfEra = day - era * daysPerEra
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    static func dayCount(ofMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    static func floorDivide(_ value: Int64, by divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    static func floorRemainder(_ value: Int64, by divisor: Int64) -> Int64 {
        value - floorDivide(value, by: divisor) * divisor
    }
}
