import Database
import Foundation
import StackSupport
import Synchronization
import TestSupport

/// One run of one scenario: what it has at hand, and what it has found.
final class Trial: Sendable {
    private struct State {
        var outcome: Outcome
        var site: Site?
        var fleets: [Fleet] = []
        var outages: [Ledger.Stretch] = []
        var suspects: [Ledger] = []
        var undo: [@Sendable () -> Void] = []
    }

    /// What this run's randomness follows from.
    let seed: UInt64
    private let state: Mutex<State>

    private init(_ scenario: Scenario, seed: UInt64) {
        self.seed = seed
        state = Mutex(State(outcome: Outcome(scenario: scenario.name, seed: seed)))
    }

    /// Runs a scenario to its end, and takes away all that it started.
    static func run(_ scenario: Scenario, _ options: LabOptions) -> Outcome {
        // The same whichever scenarios run beside it.
        let seed = scenario.name.utf8.reduce(options.seed) { ($0 ^ UInt64($1)) &* 0x0100_0000_01B3 }
        let trial = Trial(scenario, seed: seed)
        if let reason = scenario.obstacle(options) {
            trial.state.withLock { $0.outcome.leftOut = reason }
            return trial.state.withLock { $0.outcome }
        }
        let begin = ContinuousClock.now
        do {
            try scenario.run(trial)
        } catch {
            trial.wrong("it could not go on: \(error)")
        }
        trial.end(logFolder: "\(options.logFolder)/\(scenario.name)")
        let elapsed = ContinuousClock.now - begin
        trial.state.withLock { $0.outcome.seconds = Double(elapsed.components.seconds) }
        return trial.state.withLock { $0.outcome }
    }

    /// A new sequence of random numbers, another one for each purpose.
    func generator(_ purpose: UInt64 = 0) -> SplitMix64 { SplitMix64(seed: seed &+ purpose &* 0x5851_F42D) }

    // MARK: - What it has at hand

    /// Starts a site; it ends with the trial.
    func site(_ plan: Site.Plan = Site.Plan()) throws -> Site {
        let site = try Site(plan)
        state.withLock { $0.site = site }
        try site.start()
        return site
    }

    /// Sends clients to a site; they end with the trial.
    func fleet(
        _ site: Site,
        _ name: String,
        _ mode: Fleet.Mode,
        _ roles: [Fleet.Role],
        pace: ClosedRange<UInt32> = 2...40,
        clock: (@Sendable (_ client: Int) -> Int64)? = nil
    ) -> Fleet {
        let fleet = Fleet(
            name,
            ports: site.ports,
            mode: mode,
            roles: roles,
            pace: pace,
            seed: seed &+ UInt64(state.withLock { $0.fleets.count }) &* 7919,
            clock: clock
        )
        state.withLock { $0.fleets.append(fleet) }
        return fleet
    }

    /// Something to do at the trial's end, whatever comes.
    func atEnd(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.undo.append(body) } }

    // MARK: - What it finds

    /// Counts faults made.
    func fault(_ count: Int = 1) { state.withLock { $0.outcome.faultCount += count } }

    func wrong(_ line: String) { state.withLock { $0.outcome.wrong.append(line) } }

    func lost(_ line: String) { state.withLock { $0.outcome.lost.append(line) } }

    func note(_ line: String) { state.withLock { $0.outcome.notes.append(line) } }

    func acknowledged(_ count: Int) { state.withLock { $0.outcome.acknowledgedCount += count } }

    /// Finds something wrong unless it is so.
    func expect(_ isSo: Bool, _ line: @autoclosure () -> String) {
        if !isSo { wrong(line()) }
    }

    /// Our own path is down while the body runs; silence in that time is nobody's fault.
    func outage<Result>(isOurs: Bool = true, _ body: () throws -> Result) rethrows -> Result {
        let begin = LabClock.now
        guard isOurs else { return try body() }
        defer { state.withLock { $0.outages.append(Ledger.Stretch(begin: begin, end: LabClock.now)) } }
        return try body()
    }

    var outages: [Ledger.Stretch] { state.withLock { $0.outages } }

    func add(_ findings: Findings) {
        state.withLock { state in
            state.outcome.lost += findings.lost
            state.outcome.wrong += findings.wrong
            state.outcome.falseMarks += findings.falseMarks
            state.outcome.notes += findings.notes
            state.suspects += findings.suspects
        }
    }

    // MARK: - The end

    private func end(logFolder: String) {
        let (site, fleets, undo) = state.withLock { ($0.site, $0.fleets, $0.undo) }
        for fleet in fleets { fleet.abandon() }
        for body in undo.reversed() { body() }
        guard let site else { return }
        for service in site.services {
            if let status = service.ended() {
                wrong("\(service.name) ended by itself, with status \(status)")
            }
        }
        for service in (site.ingests + site.detectors + site.writers) where service.isMeantToRun {
            let status = service.terminate()
            expect(
                status == 0,
                "\(service.name) on SIGTERM: \(status.map { "status \($0)" } ?? "not done in 10 s")"
            )
        }
        guard state.withLock({ $0.outcome.hasFailed }) else { return }
        state.withLock { $0.outcome.logTails = site.logTails }
        do {
            try site.keepLogs(in: logFolder)
            for ledger in state.withLock({ $0.suspects }).prefix(20) {
                let path = "\(logFolder)/\(ledger.job).ledger"
                try ledger.text.write(toFile: path, atomically: true, encoding: .utf8)
            }
            note("the logs are in \(logFolder)")
        } catch {
            note("the logs could not be kept in \(logFolder): \(error)")
        }
    }
}

extension Scenario {
    /// Why it cannot run here. nil if it can.
    func obstacle(_ options: LabOptions) -> String? {
        for need in needs {
            switch need {
            case .namespaces where !options.hasNamespaces:
                return "needs a network and mounts of its own (unshare -m -n), which this user may not have"
            case .file(let path, let package) where !FileManager.default.fileExists(atPath: path):
                return "there is no \(path); the package \(package) brings it"
            default: continue
            }
        }
        return nil
    }
}
