import StackSupport

/// What most scenarios put on a site: backups that go on, and short ones that begin and end all the time.
struct Load {
    let steady: Fleet
    let churn: Fleet
    private let trial: Trial

    /// Sends the clients, and waits until they are served.
    init(
        _ trial: Trial,
        _ site: Site,
        new: Int = 8,
        old: Int = 8,
        churn: [Fleet.Role] = Fleet.mix(new: 4, old: 6),
        pace: ClosedRange<UInt32> = 2...40
    ) {
        self.trial = trial
        steady = trial.fleet(
            site,
            "steady",
            .steady,
            Fleet.mix(new: new, old: 0) + Fleet.reporting(old),
            pace: pace
        )
        self.churn = trial.fleet(site, "churn", .churn, churn, pace: pace)
        let isServed = steady.waitForAcknowledgements(6 * (new + old), seconds: 30)
        trial.expect(isServed, "the clients were not served at first")
    }

    /// Finds it wrong if the clients are not served within some seconds.
    func expectService(_ when: String) {
        let isServed = steady.waitForAcknowledgements(32, seconds: 30)
        trial.expect(isServed, "the clients were not served \(when)")
    }

    /// How many messages were answered 202.
    var keptCount: Int {
        steady.keptCount + churn.keptCount
    }
}
