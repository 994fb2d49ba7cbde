import Histogram

/// Latencies in nanoseconds, from 1 us to a minute, to three digits.
struct Latencies {
    private var histogram = Histogram<UInt32>(
        lowestDiscernibleValue: 1000,
        highestTrackableValue: 60_000_000_000,
        numberOfSignificantValueDigits: .three
    )

    mutating func record(nanoseconds: Int64) {
        histogram.record(UInt64(min(max(nanoseconds, 0), 60_000_000_000)))
    }

    mutating func add(_ others: Latencies) { histogram.add(others.histogram) }

    var count: Int { Int(histogram.totalCount) }

    /// Milliseconds that so many percent of them did not exceed. 0 where there are none.
    func milliseconds(percentile: Double) -> Double {
        count == 0 ? 0 : Double(histogram.valueAtPercentile(percentile)) / 1e6
    }
}
