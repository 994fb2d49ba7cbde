/// One rule that one job's rows break.
public struct Breach: Equatable, Sendable {
    /// The rule.
    public var rule: AuditRule
    /// What is stored, in words or as it stands in the table.
    public var stored: String
    /// What it should be.
    public var expected: String
    /// Why the rows do not tell what is right. nil: they do, and a repair can mend it.
    public var obstacle: String?

    /// Creates a breach from its parts.
    public init(_ rule: AuditRule, stored: String, expected: String, obstacle: String? = nil) {
        self.rule = rule
        self.stored = stored
        self.expected = expected
        self.obstacle = obstacle
    }

    /// Whether a repair can mend it.
    public var isMendable: Bool { obstacle == nil }
}
