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

/// What an audit of one job found, and what its rows become where they tell what is right.
public struct JobAudit: Equatable, Sendable {
    /// The breaches, those that can be mended among them.
    public var breaches: [Breach] = []
    /// The job with all that mended.
    public var mended: AuditedJob

    /// The breaches that a repair mends.
    public var mendable: [Breach] { breaches.filter(\.isMendable) }

    /// The change to keep beside a repair: what was stored, and what is now. nil if there is nothing to mend.
    public var repairEvent: StatusChange? {
        guard !mendable.isEmpty else { return nil }
        return StatusChange(
            from: mended.job.status,
            to: mended.job.status,
            cause: .auditRepair,
            attempt: mended.job.attempt,
            evidence: mendable.map { "\($0.rule.rawValue): was \($0.stored), is \($0.expected)" }
                .joined(separator: "; ")
        )
    }
}
