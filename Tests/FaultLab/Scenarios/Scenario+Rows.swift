import Database
import StackSupport
import TestSupport

extension Scenario {
    /// One row that holds up nobody but itself.
    static let rows: [Scenario] = [
        Scenario(
            name: "stuck-lane",
            summary: "somebody holds one job's row for 8 s; the other lane goes on, its own lane too, slower",
            run: holdRow
        ),
        Scenario(
            name: "poisoned",
            summary: "one message among 512 in one batch is refused by the database, 4 times",
            run: poison
        ),
    ]

    @Sendable private static func holdRow(_ trial: Trial) throws {
        let site = try trial.site()
        let load = Load(trial, site, new: 24, old: 0, churn: Fleet.mix(new: 2, old: 2))
        let ledgers = load.steady.ledgers
        let held = ledgers[0]
        let rival = try site.connection()
        let before = ledgers.map(\.acknowledgedCount)
        try rival.begin()
        _ = try rival.query("SELECT id FROM backup_jobs WHERE id = '\(held.job)' FOR UPDATE")
        trial.fault()
        pause(milliseconds: 8000)
        let served = zip(ledgers, before).map { $0.acknowledgedCount - $1 }
        try rival.rollback()
        let lane = Self.lane(held.job)
        let other = zip(ledgers, served).filter { Self.lane($0.0.job) != lane }.map(\.1)
        let own = zip(ledgers, served).dropFirst().filter { Self.lane($0.0.job) == lane }.map(\.1)
        trial.note(
            "in 8 s served per job: held \(served[0]), its lane \(own.sorted()), the other \(other.sorted())"
        )
        trial.expect(other.allSatisfy { $0 >= 20 }, "the other lane was held up, too: \(other)")
        trial.expect(own.allSatisfy { $0 >= 1 }, "jobs of the same lane were not served at all: \(own)")
        trial.expect(served[0] <= 1, "a row that somebody holds was changed \(served[0]) times")
        load.expectService("after the row was free")
        try trial.settle(site, load)
    }

    /// The lane of a writer with two: FNV-1a over the id.
    private static func lane(_ job: String) -> UInt64 {
        job.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } % 2
    }

    @Sendable private static func poison(_ trial: Trial) throws {
        let site = try trial.site()
        let root = try site.connection()
        let poisoned = "backup-crowd-0-1"
        let fleet = trial.fleet(site, "crowd", .steady, Fleet.mix(new: 512, old: 0), pace: 400...800)
        let isRegistered = eventually(seconds: 60) {
            fleet.ledgers.count == 512 && fleet.ledgers.allSatisfy { $0.acknowledgedCount >= 2 }
        }
        trial.expect(isRegistered, "512 jobs were not running within 60 s")
        for _ in 0..<4 {
            try root.execute(
                """
                CREATE TRIGGER poison BEFORE UPDATE ON backup_jobs FOR EACH ROW
                IF NEW.id = '\(poisoned)' AND NEW.bytes_transferred <> OLD.bytes_transferred
                THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poison'; END IF
                """
            )
            trial.fault()
            // While the writer stands still, the messages of all gather for one batch.
            site.writers[0].pause()
            pause(milliseconds: 900)
            site.writers[0].resume()
            pause(milliseconds: 700)
            try root.execute("DROP TRIGGER poison")
            let isServed = fleet.waitForAcknowledgements(512, seconds: 20)
            trial.expect(isServed, "the others were held up")
        }
        let refused = fleet.ledgers.flatMap { ledger in
            ledger.entries.compactMap { entry -> String? in
                guard case .refused(let status, let text) = entry.fate else { return nil }
                return "\(status) to \(ledger.job): \(text.prefix(200))"
            }
        }
        trial.note("\(refused.count) messages were refused")
        trial.expect(!refused.isEmpty, "the poisoned message was not refused")
        let strangers = refused.filter { !$0.hasPrefix("422 to \(poisoned):") }
        trial.expect(strangers.isEmpty, "refused beside the poisoned one: \(strangers.prefix(3))")
        try trial.settle(site, [fleet], Settling(mayBeRejected: true))
    }
}
