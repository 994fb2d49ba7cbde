import Database
import StackSupport
import TestSupport

extension Scenario {
    /// A database that lives but does not serve.
    static let database: [Scenario] = [
        Scenario(
            name: "mariadb-frozen",
            summary: "MariaDB is stopped (SIGSTOP) ten times, once for longer than the failed threshold",
            run: freezeMariaDB
        ),
        Scenario(
            name: "mariadb-read-only",
            summary: "MariaDB is switched to read-only four times, once for longer than the failed threshold",
            run: makeReadOnly
        ),
        Scenario(
            name: "mariadb-disk-full",
            summary: "the disk of MariaDB's data is full three times",
            needs: [.namespaces],
            run: fillDisk
        ),
        Scenario(
            name: "deadlocks",
            summary: "a rival locks the same rows in another order, without a pause",
            run: deadlock
        ),
        Scenario(
            name: "cut-sessions",
            summary: "300 sessions of the services are cut in the middle of a statement or a COMMIT",
            run: cutSessions
        ),
    ]

    @Sendable private static func freezeMariaDB(_ trial: Trial) throws {
        let site = try trial.site(Site.Plan(server: Site.Plan.durableServer))
        var generator = trial.generator()
        let load = Load(trial, site)
        for number in 0..<10 {
            let isLong = number == 6
            if isLong { load.steady.die(0..<2) }
            trial.outage {
                site.server.pause()
                trial.fault()
                pause(milliseconds: isLong ? 10_000 : UInt32.random(in: 100...2500, using: &generator))
                site.server.resume()
            }
            load.expectService("after MariaDB went on")
        }
        try trial.settle(site, load)
    }

    @Sendable private static func makeReadOnly(_ trial: Trial) throws {
        let site = try trial.site(Site.Plan(server: Site.Plan.durableServer))
        let load = Load(trial, site)
        let root = try site.connection()
        for seconds in [1, 3, 10, 2] as [UInt32] {
            if seconds == 10 { load.steady.die(0..<2) }
            try trial.outage {
                try root.execute("SET GLOBAL read_only = ON")
                trial.fault()
                pause(milliseconds: seconds * 1000)
                try root.execute("SET GLOBAL read_only = OFF")
                for service in site.services { try service.waitUntilReady() }
            }
            load.expectService("after MariaDB was writable again")
        }
        try trial.settle(site, load)
    }

    @Sendable private static func fillDisk(_ trial: Trial) throws {
        let disk = try SmallDisk(mebibytes: 160)
        trial.atEnd { disk.remove() }
        let site = try trial.site(
            Site.Plan(
                server: {
                    try PrivateMariaDB.start(
                        options: ["--innodb-flush-log-at-trx-commit=2"],
                        dataHome: disk.folder
                    )
                }
            )
        )
        trial.atEnd { site.server.kill9() }
        let load = Load(trial, site, churn: Fleet.mix(new: 12, old: 12))
        for _ in 0..<3 {
            let before = load.steady.unavailableCount + load.steady.keptCount
            try trial.outage {
                try disk.fill(leavingKibibytes: 0)
                trial.fault()
                _ = eventually(seconds: 8) {
                    load.steady.unavailableCount + load.steady.keptCount > before + 10
                }
                pause(milliseconds: 2000)
                try disk.free()
                // A server that died of it is started again, as the system would.
                if (try? site.connection()) == nil {
                    trial.note("MariaDB died of the full disk, and was started again")
                    try site.server.restart()
                }
                for service in site.services { try service.waitUntilReady() }
            }
            trial.note(
                "\(load.steady.unavailableCount + load.steady.keptCount - before) messages met the full disk"
            )
            load.expectService("after there was room again")
        }
        try trial.settle(site, load)
    }

    @Sendable private static func deadlock(_ trial: Trial) throws {
        let site = try trial.site()
        let load = Load(trial, site, new: 12, old: 12)
        let jobs = load.steady.ledgers.map(\.job)
        let picks = Picks(jobs, seed: trial.seed)
        // Of the light one and the writer the server gives up the light one, of the heavy one and the writer the writer.
        let rivals = [false, true].map { isHeavy in
            Rival(site) { connection in
                pause(milliseconds: 1)
                return try Rival.lockBackwards(picks.next(6), connection, isHeavy: isHeavy)
            }
        }
        pause(milliseconds: 12_000)
        for rival in rivals { trial.fault(try rival.stop()) }
        let repeated = site.writers.reduce(0) {
            $0 + Int($1.metric("sendense_writer_transactions_repeated_total") ?? 0)
        }
        trial.fault(repeated)
        trial.note("the writer repeated \(repeated) transactions")
        trial.expect(repeated > 0, "no deadlock was made")
        load.expectService("after the rivals went away")
        try trial.settle(site, load)
    }

    @Sendable private static func cutSessions(_ trial: Trial) throws {
        let site = try trial.site()
        let load = Load(trial, site)
        let root = try site.connection()
        var (cut, atCommit) = (0, 0)
        var generator = trial.generator()
        let isDone = try eventually(seconds: 90, everyMilliseconds: 1) {
            for session in try Rival.busySessions(root) where Int.random(in: 0..<3, using: &generator) == 0 {
                guard Rival.cut(session.id, root) else { continue }
                cut += 1
                if session.statement.hasPrefix("COMMIT") { atCommit += 1 }
                // A lane tries again to connect twice a second.
                pause(milliseconds: UInt32.random(in: 0...120, using: &generator))
            }
            return cut >= 300
        }
        trial.fault(cut)
        trial.expect(isDone, "only \(cut) of 300 sessions could be cut in 90 s")
        trial.note("\(atCommit) of \(cut) sessions were at COMMIT")
        load.expectService("in the end")
        try trial.settle(site, load)
    }
}
