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
