import Foundation

/// A change of the local time by an hour, made to come at a chosen second.
package enum LocalTimeChange: String, CaseIterable, Sendable {
    case forward, back

    /// A zone three hours behind UTC in winter and two in summer, as TZ writes it.
    package func zone(at second: Int64) -> String {
        // The rule gives each change in the time before it.
        let local = Date(timeIntervalSince1970: TimeInterval(second - (self == .forward ? 3 : 2) * 3600))
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = calendar.dateComponents([.hour, .minute, .second], from: local)
        let day = (calendar.ordinality(of: .day, in: .year, for: local) ?? 1) - 1
        let time = [parts.hour, parts.minute, parts.second].map { "\($0 ?? 0)" }.joined(separator: ":")
        return self == .forward
            ? "WIN3SUM2,\(day)/\(time),\((day + 30) % 365)/0"
            : "WIN3SUM2,\((day + 335) % 365)/0,\(day)/\(time)"
    }
}
