/// What came of one scenario.
struct Outcome: Sendable {
    var scenario: String
    var seed: UInt64
    var faultCount = 0
    var acknowledgedCount = 0
    /// Each acknowledged message that left no trace, in a line.
    var lost: [String] = []
    /// Each row or answer that breaks a rule, in a line.
    var wrong: [String] = []
    /// Each mark of a job whose client was alive, or that counts our own outage as silence, in a line.
    var falseMarks: [String] = []
    /// What else is worth knowing, in lines.
    var notes: [String] = []
    /// Why it was not run. nil if it was.
    var leftOut: String?
    var seconds = 0.0
    /// The ends of the services' logs, if something went wrong.
    var logTails = ""

    var hasFailed: Bool { !(lost.isEmpty && wrong.isEmpty && falseMarks.isEmpty) }
}
