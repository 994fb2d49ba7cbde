/// Durations for people: the two largest units that matter.
public enum DurationWords {
    /// A duration like `250 ms`, `12.3 s`, `5 min 0 s`, `2 h 5 min` or `3 d 4 h`.
    ///
    /// - Parameter milliseconds: the duration; a negative one has a minus sign.
    /// - Returns: the words.
    public static func text(milliseconds: Int64) -> String {
        let sign = milliseconds < 0 ? "-" : ""
        let (seconds, rest) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400)
        if seconds == 0 { return "\(sign)\(rest) ms" }
        if minutes == 0 { return "\(sign)\(seconds).\(rest / 100) s" }
        if hours == 0 { return "\(sign)\(minutes) min \(seconds % 60) s" }
        return days == 0 ? "\(sign)\(hours) h \(minutes % 60) min" : "\(sign)\(days) d \(hours % 24) h"
    }
}
