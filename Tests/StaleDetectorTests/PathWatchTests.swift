import JobModel
import Logging
import ServiceKit
import Synchronization
import Testing

@testable import StaleDetector

/// What the detector says of the way into the database, and when. Times are in milliseconds.
@Suite struct PathWatchTests {
    private static let gap: Int64 = 15_000

    private let lines = LogLines()
    private let health = Health(waitingFor: [])
    private var watch: PathWatch

    init() throws {
        let rule = try #require(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300))
        let lines = lines
        watch = PathWatch(
            PathRule(rule),
            health: health,
            logger: Logger(label: "test") { _ in LineHandler(lines) }
        )
    }

    /// Looks so many milliseconds after the start; the newest beat is so old. nil: there is none.
    private mutating func look(at milliseconds: Int64, beatAge: Int64?) -> PathState {
        let now = 1_000_000_000 + milliseconds
        let beats = beatAge.map {
            [
                PathBeat(
                    ingest: "i",
                    writer: "w",
                    lane: 0,
                    beatMilliseconds: now - $0,
                    upSinceMilliseconds: 0
                )
            ]
        }
        return watch.judge(beats ?? [], nowMilliseconds: now, monotonicMilliseconds: 500 + milliseconds)
    }

    @Test mutating func `at a start nobody is late yet, and nothing is marked all the same`() {
        for milliseconds in stride(from: 0, through: 2000, by: 250) {
            #expect(look(at: Int64(milliseconds), beatAge: nil).interruption != nil)
            #expect(health.remarks.first?.contains("no ingest reaches the database") == true)
        }
        #expect(look(at: 2250, beatAge: 100).interruption == nil)
        #expect(lines.all.isEmpty && health.remarks.isEmpty)
        // From then on it is an error at once.
        #expect(look(at: 2500, beatAge: Self.gap + 1).interruption != nil)
        #expect(lines.all.map(\.level) == [.error])
        #expect(look(at: 2750, beatAge: 100).interruption == nil)
        #expect(lines.all.map(\.level) == [.error, .warning])
    }

    @Test(arguments: [nil, 100_000] as [Int64?])
    mutating func `who has not come after the longest gap is told once`(beatAge: Int64?) {
        for milliseconds in [0, Self.gap] { _ = look(at: milliseconds, beatAge: beatAge) }
        #expect(lines.all.isEmpty)
        for milliseconds in [Self.gap + 1, Self.gap + 250] { _ = look(at: milliseconds, beatAge: beatAge) }
        #expect(lines.all.map(\.level) == [.error])
        #expect(lines.all.first?.text.hasPrefix("no job is marked") == true)
        _ = look(at: Self.gap + 500, beatAge: 0)
        #expect(lines.all.map(\.level) == [.error, .warning])
    }
}

/// What was logged.
private final class LogLines: Sendable {
    private let lines = Mutex<[(level: Logger.Level, text: String)]>([])

    var all: [(level: Logger.Level, text: String)] { lines.withLock { $0 } }

    func add(_ level: Logger.Level, _ text: String) { lines.withLock { $0.append((level, text)) } }
}

private struct LineHandler: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    init(_ lines: LogLines) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.add(event.level, "\(event.message)") }
}
