import StackSupport

/// What the writer's own metrics say of its transactions.
struct WriterTimes {
    private static let timer = "sendense_writer_commit_seconds"
    private static let sizes = "sendense_writer_batch_messages"

    /// Transactions that took so many seconds at the most, by that bound.
    private var counts: [(bound: Double, count: Double)] = []
    private var seconds = 0.0
    private var messages = 0.0

    /// Reads them now.
    ///
    /// - Throws: `EndToEndError` where the writer does not answer.
    init(_ writer: ServiceProcess) throws {
        let text = try HTTPConnection(host: writer.admin.host, port: writer.admin.port)
            .request("GET", "/metrics").text
        for line in text.split(separator: "\n") {
            guard let value = line.split(separator: " ").last.flatMap({ Double($0) }) else { continue }
            if line.hasPrefix("\(Self.timer)_sum") { seconds += value }
            if line.hasPrefix("\(Self.sizes)_sum") { messages += value }
            guard line.hasPrefix("\(Self.timer)_bucket"), let bound = Self.bound(line) else { continue }
            counts.append((bound, value))
        }
    }

    /// What was added since an earlier reading: the mean of a transaction's time over its messages, and the bound
    /// of the histogram that 99 of 100 transactions kept.
    func since(_ earlier: WriterTimes) -> [String: Double] {
        let added = messages - earlier.messages
        guard added > 0 else { return [:] }
        let before = Dictionary(earlier.counts.map { ($0.bound, $0.count) }) { $1 }
        let grown = counts.map { (bound: $0.bound, count: $0.count - (before[$0.bound] ?? 0)) }
        let all = grown.last?.count ?? 0
        let bound = grown.first { $0.count >= 0.99 * all }?.bound ?? .infinity
        return [
            "database_mean_ms": (seconds - earlier.seconds) * 1000 / added,
            // JSON knows no infinity; the last finite bound is a hundred thousand times what is hoped for.
            "database_p99_ms": min(bound * 1000, 1e9),
        ]
    }

    /// The bound in `…_bucket{le="0.001"} 5`.
    private static func bound(_ line: Substring) -> Double? {
        guard let text = line.split(separator: "\"").dropFirst().first else { return nil }
        return text == "+Inf" ? .infinity : Double(text)
    }
}
