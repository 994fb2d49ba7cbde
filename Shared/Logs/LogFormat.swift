/// How a log line is written.
public enum LogFormat: String, Sendable, CaseIterable {
    /// `2026-11-23T19:20:30.123Z info  label: message key=value`
    case text
    /// One JSON object per line: `ts`, `level`, `logger`, `msg`, then the metadata.
    case json
}
