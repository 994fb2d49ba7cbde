public import Logging

/// Sets up logging for a process.
public enum Logs {
    /// Makes every logger of this process write lines of this format, from this level up, to this sink.
    ///
    /// Loggers that were made earlier keep their handler, so call it first in `main`, and once.
    public static func bootstrap(
        format: LogFormat = .text,
        level: Logger.Level = .info,
        sink: LogSink = .standardError
    ) {
        LoggingSystem.bootstrap { label in
            LineLogHandler(label: label, format: format, level: level, sink: sink)
        }
    }
}
