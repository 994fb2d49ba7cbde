/// When a job's bytes and speed are worth keeping, for the chart of its speed over time.
///
/// A short backup gets a point every ten seconds, a long one a point per hundredth of its run: the table grows by
/// some hundred rows a job at most, whatever the job does.
public enum HistoryRule {
    /// The least time between two points, in milliseconds.
    public static let pauseMilliseconds: Int64 = 10_000
    /// Of a run that has lasted for so many pauses and more, the pause is that part.
    static let pausesPerRun: Int64 = 100

    /// Whether a point is due.
    ///
    /// - Parameters:
    ///   - sinceLastMilliseconds: since the attempt's last point; negative if the clock was set back. nil if it
    ///     has none.
    ///   - runMilliseconds: since the attempt began.
    ///   - isEnd: the job ends with this change: its last point says what came of it.
    /// - Returns: true for the first and the last point of an attempt, and whenever the pause is over.
    public static func isDue(sinceLastMilliseconds: Int64?, runMilliseconds: Int64, isEnd: Bool) -> Bool {
        guard !isEnd, let sinceLastMilliseconds, sinceLastMilliseconds >= 0 else { return true }
        return sinceLastMilliseconds >= max(pauseMilliseconds, runMilliseconds / pausesPerRun)
    }
}
