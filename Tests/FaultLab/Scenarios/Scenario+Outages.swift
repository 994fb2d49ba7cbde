import StackSupport
import TestSupport

extension Scenario {
    /// A part that is gone for longer than the thresholds.
    static let outages: [Scenario] = [
        Scenario(
            name: "writer-gone",
            summary: "the writer is gone for three times the failed threshold; some clients die meanwhile"
        ) { trial in
            try outage(trial, Site.Plan()) { site, wait in
                site.writers[0].kill9()
                wait()
                try site.writers[0].start()
            }
        },
        Scenario(
            name: "ingest-gone",
            summary: "ingest is gone for three times the failed threshold; some clients die meanwhile"
        ) { trial in
            try outage(trial, Site.Plan()) { site, wait in
                site.ingests[0].kill9()
                wait()
                try site.ingests[0].start()
            }
        },
        Scenario(
            name: "all-gone",
            summary: "everything is gone for three times the failed threshold; some clients die meanwhile"
        ) { trial in
            try outage(trial, Site.Plan(server: Site.Plan.durableServer)) { site, wait in
                for service in site.services { service.kill9() }
                site.server.kill9()
                wait()
                try site.server.restart()
                for service in site.services { try service.start() }
            }
        },
        Scenario(
            name: "outage-500",
            summary: "500 running jobs, MariaDB is gone for three times the failed threshold; 50 clients die",
            run: outageOf500
        ),
    ]

    /// Takes parts away for three times the failed threshold; clients die before, in the middle and after.
    private static func outage(
        _ trial: Trial,
        _ plan: Site.Plan,
        _ interrupt: (Site, _ wait: () -> Void) throws -> Void
    ) throws {
        let site = try trial.site(plan)
        let load = Load(trial, site, new: 16, old: 16, pace: 20...200)
        load.steady.die([0, 16])
        try trial.outage {
            try interrupt(site) {
                trial.fault()
                let third = UInt32(plan.failedAfterSeconds) * 1000
                pause(milliseconds: third)
                load.steady.die([1, 17])
                pause(milliseconds: 2 * third)
            }
            for service in site.services { try service.waitUntilReady() }
        }
        load.expectService("after the outage")
        load.steady.die([2, 18])
        try trial.settle(site, load)
    }

    @Sendable private static func outageOf500(_ trial: Trial) throws {
        let plan = Site.Plan(
            stalledAfterSeconds: 5,
            failedAfterSeconds: 12,
            server: Site.Plan.durableServer
        )
        let site = try trial.site(plan)
        let roles = Fleet.mix(new: 250, old: 0) + Fleet.reporting(250)
        let fleet = trial.fleet(site, "running", .steady, roles, pace: 600...1400)
        trial.expect(
            eventually(seconds: 60) { fleet.ledgers.count { $0.entries.count >= 3 } == roles.count },
            "500 jobs were not running within 60 s"
        )
        fleet.die((0..<10).flatMap { [$0, 250 + $0] })
        try trial.outage {
            site.server.kill9()
            trial.fault()
            pause(milliseconds: 12_000)
            fleet.die((10..<20).flatMap { [$0, 250 + $0] })
            pause(milliseconds: 24_000)
            try site.server.restart()
            for service in site.services { try service.waitUntilReady() }
        }
        trial.expect(
            fleet.waitForAcknowledgements(900, seconds: 60),
            "the clients were not served afterwards"
        )
        fleet.die((20..<25).flatMap { [$0, 250 + $0] })
        try trial.settle(site, [fleet])
    }
}
