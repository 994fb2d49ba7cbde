extension Job {
    /// Merges an operator's word that the job is to stop. Its client learns of it with its next message.
    mutating func merge(_ request: CancelRequest) -> Effect {
        if status == .cancelled { return Effect(answer(.repeated)) }
        if isFinal { return Effect(endedAnswer()) }
        let change = end(
            as: .cancelled,
            .cancelRequested,
            message: request.reason.map { "The backup was cancelled: \($0)" } ?? "The backup was cancelled.",
            evidence: "cancel request\(request.reason.map { ": \($0)" } ?? "")"
        )
        aggregate(toldPercent: nil)
        return Effect(answer(.applied), changes: [change])
    }
}
