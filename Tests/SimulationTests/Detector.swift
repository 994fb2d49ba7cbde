import JobModel

@testable import Database
@testable import StaleDetector

/// A detector: `Sweep` without its thread.
///
/// Unchecked: see `Scheduler`.
final class SimulatedDetector: @unchecked Sendable {
    private unowned let world: World
    private let rule: StaleRule
    private let pathRule: PathRule
    private let name: String
    private var held = HeldRows()
    var pausedUntil: Int64 = 0

    init(_ name: String, _ world: World, rule: StaleRule) {
        self.name = name
        self.world = world
        self.rule = rule
        pathRule = PathRule(rule)
    }

    private var scheduler: Scheduler { world.scheduler }

    func start() { look() }

    /// Between any two of its statements the detector, or its database, may stand still.
    private func after(_ milliseconds: Int64, _ body: @escaping () -> Void) {
        scheduler.after(milliseconds) { [self] in
            let until = max(pausedUntil, world.database.pausedUntil)
            guard until > scheduler.now else { return body() }
            after(until - scheduler.now, body)
        }
    }

    private func look() {
        let again: () -> Void = { [self] in after(Plan.scanMilliseconds) { [self] in look() } }
        guard let (beats, now) = world.database.read() else { return again() }
        let path = pathRule.state(of: beats, nowMilliseconds: now)
        guard path.interruption == nil else {
            scheduler.trace("\(name) abstains: \(path.interruption ?? "")")
            return again()
        }
        after(scheduler.pick(0...3)) { [self] in
            guard !world.database.isDown else { return again() }
            var jobs: [SilentJob] = []
            for (status, seconds) in SilenceJudge(rule: rule).candidates(path) {
                jobs += world.database.silentJobs(status: status, forSeconds: seconds)
            }
            held.keep(only: Set(jobs.map(\.id)))
            judge(jobs[...], path, again)
        }
    }

    /// As `Sweep.judge`, job by job.
    private func judge(_ jobs: ArraySlice<SilentJob>, _ path: PathState, _ done: @escaping () -> Void) {
        guard let job = jobs.first else { return done() }
        let rest = jobs.dropFirst()
        let decision = SilenceJudge(rule: rule).decision(on: job, path, held)
        guard decision != .nothing else { return judge(rest, path, done) }
        after(scheduler.pick(0...3)) { [self] in
            do throws(SimulatedDatabase.Failure) {
                switch decision {
                case .nothing: break
                case .probe: try world.database.probe(job)
                case .mark(let mark, _):
                    if try world.database.mark(job, as: mark, by: rule) { world.marked(job, mark, path) }
                    held.forget(job.id)
                }
            } catch {
                guard error == .rowHeld else { return done() }
                _ = held.note(job.id, nowMilliseconds: job.readMilliseconds)
            }
            judge(rest, path, done)
        }
    }
}
