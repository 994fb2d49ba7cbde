import Database
import StackSupport
import TestSupport

extension Scenario {
    /// Processes that die without warning, under load.
    static let killing: [Scenario] = [
        Scenario(name: "kill-writer", summary: "the writer is killed 60 times at random instants") {
            try kill($0, count: 60) { $0.writers }
        },
        Scenario(name: "kill-ingest", summary: "ingest is killed 60 times at random instants") {
            try kill($0, count: 60) { $0.ingests }
        },
        Scenario(name: "kill-detector", summary: "the stale-detector is killed 40 times while clients die") {
            try kill($0, count: 40, dying: 8) { $0.detectors }
        },
        Scenario(
            name: "kill-mariadb",
            summary: "MariaDB is killed 25 times at random instants",
            run: killMariaDB
        ),
        Scenario(
            name: "kill-at-commit",
            summary: "MariaDB is killed 15 times when a session of the writer's is at COMMIT",
            run: killAtCommit
        ),
        Scenario(
            name: "kill-any",
            summary: "two writers, ingests and detectors: one of the six is killed, 60 times"
        ) {
            let plan = Site.Plan(ingestCount: 2, writerCount: 2, detectorCount: 2)
            try kill($0, plan, count: 60, dying: 4) { $0.services }
        },
    ]

    /// Kills services again and again while clients report, begin and end backups.
    private static func kill(
        _ trial: Trial,
        _ plan: Site.Plan = Site.Plan(),
        count: Int,
        dying: Int = 2,
        _ victims: (Site) -> [ServiceProcess]
    ) throws {
        let site = try trial.site(plan)
        var generator = trial.generator()
        let load = Load(trial, site)
        for number in 0..<count {
            pause(milliseconds: UInt32.random(in: 0...350, using: &generator))
            if number == count / 3 { load.steady.die(0..<dying) }
            guard let victim = victims(site).randomElement(using: &generator) else { return }
            try trial.outage(isOurs: victim.kind != .staleDetector) {
                victim.kill9()
                trial.fault()
                try victim.start()
                try victim.waitUntilReady()
            }
        }
        load.expectService("in the end")
        try trial.settle(site, load)
    }

    @Sendable private static func killMariaDB(_ trial: Trial) throws {
        let site = try trial.site(Site.Plan(server: Site.Plan.durableServer))
        var generator = trial.generator()
        let load = Load(trial, site)
        for number in 0..<25 {
            pause(milliseconds: UInt32.random(in: 0...600, using: &generator))
            if number == 5 { load.steady.die(0..<2) }
            try trial.killServer(site)
        }
        load.expectService("in the end")
        try trial.settle(site, load)
    }

    @Sendable private static func killAtCommit(_ trial: Trial) throws {
        let site = try trial.site(Site.Plan(server: Site.Plan.durableServer))
        let load = Load(trial, site)
        var caught = 0
        for _ in 0..<15 {
            let rival = try site.connection()
            caught += try eventually(seconds: 3, everyMilliseconds: 0) { try Rival.isAtCommit(rival) } ? 1 : 0
            try trial.killServer(site)
            load.expectService("after a kill at COMMIT")
        }
        trial.note("in \(caught) of 15 kills a session was seen at COMMIT just before")
        try trial.settle(site, load)
    }
}

extension Trial {
    /// Kills MariaDB, and starts it again on what is on its disk.
    func killServer(_ site: Site) throws {
        try outage {
            site.server.kill9()
            fault()
            try site.server.restart()
            for service in site.services { try service.waitUntilReady() }
        }
    }
}
