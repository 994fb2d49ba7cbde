public import Logging

/// Writes one line per log event, as text or JSON, with times in UTC and metadata sorted by key.
public struct LineLogHandler: LogHandler {
    /// The lowest level that is written.
    public var logLevel: Logger.Level
    /// Metadata of every line of this logger.
    public var metadata: Logger.Metadata = [:]
    /// Metadata of the moment, taken per line.
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let format: LogFormat
    private let sink: LogSink

    /// Creates a handler for the logger of this label.
    public init(label: String, format: LogFormat = .text, level: Logger.Level = .info, sink: LogSink) {
        self.label = label
        self.format = format
        self.sink = sink
        logLevel = level
    }

    /// One key of the metadata of every line.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes the event's line. Where a key occurs twice, the event's own value wins, then the logger's.
    public func log(event: LogEvent) {
        var all = metadataProvider?.get() ?? [:]
        all.merge(metadata) { _, own in own }
        if let error = event.error { all["error"] = "\(error)" }
        if let own = event.metadata { all.merge(own) { _, own in own } }
        sink.write(line(event.level, event.message.description, all)) { count in
            line(.warning, "log lines were lost, nobody read them", ["count": "\(count)"])
        }
    }

    private func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> [UInt8] {
        let line = LogLine(
            milliseconds: UTCTime.nowMilliseconds,
            level: level,
            label: label,
            message: message,
            metadata: metadata
        )
        return format == .json ? line.json : line.text
    }
}
