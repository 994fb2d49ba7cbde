/// What a statement of a migration does to the server, before it runs: facts of information_schema, and rates
/// that are rough.
public struct StatementCost: Sendable, Equatable {
    /// What a statement needs to be told before it runs.
    public enum Allowance: Sendable, Equatable {
        /// A large table is written anew.
        case rebuild
        /// Backups go with their table.
        case dropData
    }

    /// What it does, in words.
    public var words: String
    /// The table's rows, or those that it changes. nil: it has none yet, or their number does not matter.
    public var rows: Int64?
    /// The table's size with its indexes. nil as above.
    public var bytes: Int64?
    /// The time it takes, roughly.
    public var seconds: Double
    /// What it waits for. nil: it just runs.
    public var allowance: Allowance?

    /// A statement that touches no more than a small table of ours.
    static func small(_ words: String) -> StatementCost {
        StatementCost(words: words, rows: nil, bytes: nil, seconds: 0.05, allowance: nil)
    }

    /// The cost in lines, the kind of work first.
    var lines: [String] {
        var size: [String] = []
        if let rows { size.append("\(rows) rows") }
        if let bytes { size.append("\(bytes / 1_048_576) MiB") }
        let measure = (size + [Self.time(seconds)]).joined(separator: ", ")
        switch allowance {
        case .rebuild: return [words, measure, "waits for --allow-rebuild, in a quiet hour"]
        case .dropData: return [words, measure, "waits for --drop-data"]
        case nil: return [words, measure]
        }
    }

    /// A time as people say it.
    static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<1: "under a second"
        case ..<120: "about \(Int(seconds.rounded())) s"
        case ..<7200: "about \(Int((seconds / 60).rounded())) min"
        default: "about \(Int((seconds / 3600).rounded())) h"
        }
    }
}
