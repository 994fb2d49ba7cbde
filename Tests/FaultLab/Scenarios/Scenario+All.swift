extension Scenario {
    /// Every scenario, in the order in which they run.
    static let all: [Scenario] =
        killing + database + outages + outbox + network + services + rows + clocks + disorder + [longOutage]
}
