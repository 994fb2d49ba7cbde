import Metrics
import ServiceKit
import Testing

@Suite struct PrometheusTests {
    @Test func `metrics are rendered in the text format`() {
        let registry = PrometheusRegistry()
        Counter(label: "messages_total", dimensions: [("verdict", "a\"b")], factory: registry).increment(
            by: 3
        )
        Counter(label: "messages_total", dimensions: [("verdict", "a\"b")], factory: registry).increment()
        Gauge(label: "window", factory: registry).record(7)
        let timer = Timer(label: "commit_seconds", factory: registry)
        timer.recordNanoseconds(3_000_000)
        timer.recordNanoseconds(400_000_000_000)
        let sizes = Recorder(label: "batch_messages", factory: registry)
        sizes.record(2)
        sizes.record(512)
        let lines = Set(registry.exposition().split(separator: "\n").map(String.init))
        #expect(
            lines.isSuperset(of: [
                "# TYPE messages_total counter", #"messages_total{verdict="a\"b"} 4"#, "# TYPE window gauge",
                "window 7",
                "# TYPE commit_seconds histogram", #"commit_seconds_bucket{le="0.0025"} 0"#,
                #"commit_seconds_bucket{le="0.005"} 1"#, #"commit_seconds_bucket{le="+Inf"} 2"#,
                "commit_seconds_count 2",
                "batch_messages_count 2", "batch_messages_sum 514",
            ])
        )
        #expect(
            lines.filter { $0.hasPrefix("batch_messages_bucket") }
                == Set(
                    (0...12).map { power in
                        "batch_messages_bucket{le=\"\(1 << power)\"} \(power == 0 ? 0 : power < 9 ? 1 : 2)"
                    } + [#"batch_messages_bucket{le="+Inf"} 2"#]
                )
        )
    }
}
