public import Metrics
internal import Synchronization

/// Keeps all metrics of the process and renders them in Prometheus' text format.
///
/// Labels are Prometheus names with their unit (`sendense_writer_commit_seconds`). Counters end in `_total`;
/// recorders that aggregate, and timers, are histograms.
public final class PrometheusRegistry: MetricsFactory {
    struct Series: Hashable {
        var label: String
        var dimensions: [String]
    }
    struct State {
        var counters: [Series: CounterCell] = [:]
        var gauges: [Series: GaugeCell] = [:]
        var histograms: [Series: HistogramCell] = [:]
    }
    private let state = Mutex(State())

    /// Upper bounds of the buckets of a histogram of seconds: 0.1 ms to 1000 s.
    private static let secondBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25,
        50, 100, 250,
        500, 1000,
    ]
    /// Upper bounds of the buckets of a histogram of anything else, which are counts: the powers of two up to 4096.
    private static let countBounds: [Double] = (0...12).map { Double(1 << $0) }

    /// The bounds for a metric: its name ends in its unit.
    fileprivate static func bounds(for label: String) -> [Double] {
        label.hasSuffix("_seconds") ? secondBounds : countBounds
    }

    /// Creates an empty registry.
    public init() {}

    /// See `MetricsFactory`.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let key = series(label, dimensions)
        return state.withLock { $0.counter(key) }
    }

    /// See `MetricsFactory`.
    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        let key = series(label, dimensions)
        return state.withLock { state in
            if aggregate { return state.histogram(key) }
            return state.gauge(key)
        }
    }

    /// See `MetricsFactory`.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let key = series(label, dimensions)
        return state.withLock { $0.histogram(key) }
    }

    /// Metrics live as long as the process.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Metrics live as long as the process.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Metrics live as long as the process.
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// The metrics as `text/plain; version=0.0.4`.
    public func exposition() -> String {
        state.withLock { state in
            var lines: [String] = []
            render(state.counters, as: "counter", into: &lines) { name, labels, cell in
                ["\(name)\(braced(labels)) \(cell.value)"]
            }
            render(state.gauges, as: "gauge", into: &lines) { name, labels, cell in
                ["\(name)\(braced(labels)) \(text(cell.value))"]
            }
            render(state.histograms, as: "histogram", into: &lines) { name, labels, cell in
                cell.lines(name: name, labels: labels)
            }
            return lines.joined(separator: "\n") + "\n"
        }
    }

    private func render<Cell>(
        _ cells: [Series: Cell],
        as type: String,
        into lines: inout [String],
        _ body: (String, [String], Cell) -> [String]
    ) {
        let ordered = cells.sorted {
            ($0.key.label, $0.key.dimensions.joined()) < ($1.key.label, $1.key.dimensions.joined())
        }
        var last = ""
        for (key, cell) in ordered {
            if key.label != last { lines.append("# TYPE \(key.label) \(type)") }
            last = key.label
            lines += body(key.label, key.dimensions, cell)
        }
    }

    private func series(_ label: String, _ dimensions: [(String, String)]) -> Series {
        Series(label: label, dimensions: dimensions.map { "\($0.0)=\"\(escaped($0.1))\"" })
    }

    private func escaped(_ value: String) -> String {
        value.map { $0 == "\\" ? "\\\\" : $0 == "\"" ? "\\\"" : $0 == "\n" ? "\\n" : String($0) }.joined()
    }
}

extension PrometheusRegistry.State {
    mutating func counter(_ key: PrometheusRegistry.Series) -> CounterCell {
        if let cell = counters[key] { return cell }
        let cell = CounterCell()
        counters[key] = cell
        return cell
    }

    mutating func gauge(_ key: PrometheusRegistry.Series) -> GaugeCell {
        if let cell = gauges[key] { return cell }
        let cell = GaugeCell()
        gauges[key] = cell
        return cell
    }

    mutating func histogram(_ key: PrometheusRegistry.Series) -> HistogramCell {
        if let cell = histograms[key] { return cell }
        let cell = HistogramCell(bounds: PrometheusRegistry.bounds(for: key.label))
        histograms[key] = cell
        return cell
    }
}

func braced(_ labels: [String]) -> String {
    labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}"
}

func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
}

/// A number that only grows.
final class CounterCell: CounterHandler {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }

    func increment(by amount: Int64) { count.add(amount, ordering: .relaxed) }
    func reset() { count.store(0, ordering: .relaxed) }
}

/// A number that goes up and down.
final class GaugeCell: RecorderHandler {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
}

/// How often which values occurred.
final class HistogramCell: RecorderHandler, TimerHandler {
    private struct State {
        /// By bucket; the last one has no bound.
        var counts: [Int64]
        var sum = 0.0
    }
    private let bounds: [Double]
    private let state: Mutex<State>

    /// - Parameter bounds: upper bounds of the buckets, ascending.
    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Double) {
        let place = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[place] += 1
            state.sum += value
        }
    }

    func lines(name: String, labels: [String]) -> [String] {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        var lines: [String] = []
        var running: Int64 = 0
        for (bound, count) in zip(bounds, counts) {
            running += count
            lines.append("\(name)_bucket\(braced(labels + ["le=\"\(text(bound))\""])) \(running)")
        }
        running += counts[bounds.count]
        lines.append("\(name)_bucket\(braced(labels + ["le=\"+Inf\""])) \(running)")
        lines.append("\(name)_sum\(braced(labels)) \(text(sum))")
        lines.append("\(name)_count\(braced(labels)) \(running)")
        return lines
    }
}
