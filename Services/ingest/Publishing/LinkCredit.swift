/// Whether the next beat has to say that there was an interruption: until one that says so is stored.
struct LinkCredit {
    /// The first beat of a run says so, too: what came before it nobody has counted.
    private(set) var isDemanded = true
    /// Beats that were sent since it was demanded last.
    private var sent: Set<UInt64> = []

    /// There was an interruption, up to now.
    mutating func demand() {
        isDemanded = true
        sent = []
    }

    /// A beat went out.
    mutating func sent(_ id: UInt64) {
        if isDemanded { sent.insert(id) }
    }

    /// A beat is stored.
    mutating func stored(_ id: UInt64) {
        guard sent.contains(id) else { return }
        isDemanded = false
        sent = []
    }
}
