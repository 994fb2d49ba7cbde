/// Whether the next beat has to say that there was an interruption: until one that says so is stored.
struct LinkCredit {
    /// The first beat of a run says so, too: what came before it nobody has counted.
    private(set) var isDemanded = true
    /// The first and the last beat that were sent since it was demanded last. Ids grow, so that all beats between them
    /// said so, too: however long nothing is stored, there is no more to remember.
    private var sent: ClosedRange<UInt64>?

    /// There was an interruption, up to now.
    mutating func demand() {
        isDemanded = true
        sent = nil
    }

    /// A beat went out.
    mutating func sent(_ id: UInt64) {
        guard isDemanded else { return }
        let first = sent?.lowerBound ?? id
        sent = first...max(first, id)
    }

    /// A beat is stored.
    mutating func stored(_ id: UInt64) {
        guard let sent, sent.contains(id) else { return }
        isDemanded = false
        self.sent = nil
    }
}
