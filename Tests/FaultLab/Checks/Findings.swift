/// What the comparison found.
struct Findings: Sendable {
    var lost: [String] = []
    var wrong: [String] = []
    var falseMarks: [String] = []
    var notes: [String] = []
    /// Messages answered 202 that went with a file that the lab damaged.
    var damagedCount = 0
    /// Jobs whose messages were stored in another order, since their clients went on to another hub.
    var reorderedCount = 0

    /// The ledgers of the jobs that did not fit.
    var suspects: [Ledger] = []

    var isClean: Bool { lost.isEmpty && wrong.isEmpty && falseMarks.isEmpty }
}
