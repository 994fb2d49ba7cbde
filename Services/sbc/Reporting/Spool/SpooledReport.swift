/// What a run has still to tell the hub: all that another process needs to deliver it later.
struct SpooledReport: Equatable, Sendable {
    /// A message that the hub will never take.
    struct Refusal: Equatable, Sendable {
        var message: Outgoing
        /// What the hub said.
        var reason: String
    }

    var identity: JobIdentity
    /// The disks' sizes, in bytes. nil where unknown.
    var totals: [Int64?]
    /// Which run of the job this is.
    var attempt: Int64
    /// The newest `seq` that may have reached the hub.
    var seqSentMax: Int64
    /// When the run began, in milliseconds since 1970 UTC. nil: nobody knows.
    var startedAtMilliseconds: Int64?
    /// When it ended, likewise. nil: it had not yet when this was written.
    var endedAtMilliseconds: Int64?
    /// In the order in which they are due, each with its own `seq` and time.
    var messages: [Outgoing]
    var refusals: [Refusal] = []
}
