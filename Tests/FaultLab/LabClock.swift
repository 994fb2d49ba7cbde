import Foundation

/// The machine's wall clock: events in the database carry the same.
enum LabClock {
    /// Milliseconds since 1970 UTC.
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}
