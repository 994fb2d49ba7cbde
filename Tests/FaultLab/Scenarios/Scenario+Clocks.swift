import Database
import Foundation
import StackSupport
import TestSupport

extension Scenario {
    /// Clocks that are wrong, or are set.
    static let clocks: [Scenario] = [
        Scenario(
            name: "client-clocks",
            summary: "clients' clocks are an hour ahead or behind",
            run: setClientsClocks
        ),
        Scenario(
            name: "clock-steps",
            summary: "the hub's wall clock is stepped 10 times, both ways, by seconds, hours and a year",
            run: stepClock
        ),
        Scenario(name: "summer-begins", summary: "the hub's local time jumps an hour ahead") {
            try changeLocalTime($0, .forward)
        },
        Scenario(name: "summer-ends", summary: "the hub's local time jumps an hour back") {
            try changeLocalTime($0, .back)
        },
    ]

    @Sendable private static func setClientsClocks(_ trial: Trial) throws {
        let site = try trial.site()
        let now = LabClock.now / 1000
        let fleet = trial.fleet(site, "clocks", .steady, Fleet.reporting(24), pace: 20...200) { client in
            now + [-3600, 3600, 0][client % 3]
        }
        let churn = trial.fleet(site, "churn", .churn, Fleet.mix(new: 2, old: 9)) { client in
            now + [3600, -3600][client % 2]
        }
        trial.fault(24)
        pause(milliseconds: 5000)
        fleet.die(0..<6)
        trial.expect(fleet.waitForAcknowledgements(100, seconds: 30), "the clients were not served")
        try trial.settle(site, [fleet, churn])
    }

    @Sendable private static func stepClock(_ trial: Trial) throws {
        let clock = "\(try Leftovers.newFolder())/clock"
        guard FileManager.default.createFile(atPath: clock, contents: Data(count: MemoryLayout<Int64>.size))
        else {
            throw EndToEndError("\(clock) cannot be made")
        }
        // Written over, never anew: the programs have the file mapped.
        func set(_ seconds: Int64) throws {
            guard let file = FileHandle(forWritingAtPath: clock) else {
                throw EndToEndError("\(clock) cannot be written")
            }
            try file.write(contentsOf: (0..<8).map { UInt8(truncatingIfNeeded: seconds >> ($0 * 8)) })
            try file.close()
        }
        let variables = ["LD_PRELOAD": "\(Stack.binaries)/libClockStep.so", "CLOCK_STEP_FILE": clock]
        let all = Dictionary(uniqueKeysWithValues: ServiceProcess.Kind.allCases.map { ($0, variables) })
        let site = try trial.site(
            Site.Plan(server: { try PrivateMariaDB.start(environment: variables) }, variables: all)
        )
        let load = Load(trial, site, new: 12, old: 12, pace: 20...200)
        for step in [3, -3, 10, -10, 3600, -3600, 86_400, -86_400, 31_536_000, 0] as [Int64] {
            try set(step)
            trial.fault()
            pause(milliseconds: 1500)
            load.expectService("after the clock was set to \(step) s from the true one")
        }
        load.steady.die([0, 12])
        // Until they are called out, by a clock that runs as it should.
        pause(milliseconds: UInt32(site.plan.failedAfterSeconds + 4) * 1000)
        var way = Settling()
        way.hasTrueClock = false
        try trial.settle(site, load, way)
    }

    private static func changeLocalTime(_ trial: Trial, _ change: LocalTimeChange) throws {
        let second = LabClock.now / 1000 + 9
        let zone = change.zone(at: second)
        let site = try trial.site(
            Site.Plan(
                server: { try PrivateMariaDB.start(timeZone: "SYSTEM", environment: ["TZ": zone]) }
            )
        )
        let load = Load(trial, site, new: 12, old: 12, pace: 20...200)
        trial.expect(LabClock.now < second * 1000 - 1000, "the start took too long to see the change")
        let root = try site.connection()
        let offset = "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())"
        let before = try root.query(offset)[0].int(0)
        pause(milliseconds: UInt32(max(0, second * 1000 - 1200 - LabClock.now)))
        load.steady.die([0, 12])
        pause(milliseconds: 1500)
        trial.fault()
        load.steady.die([1, 13])
        let after = try root.query(offset)[0].int(0)
        trial.expect(after - before == (change == .forward ? 3600 : -3600), "the local time did not change")
        pause(milliseconds: 5000)
        load.expectService("after the change")
        try trial.settle(site, load)
    }
}
