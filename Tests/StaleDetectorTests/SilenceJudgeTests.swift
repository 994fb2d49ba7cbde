import JobModel
import Testing

@testable import Database
@testable import StaleDetector

/// What a look makes of a silent job. Times are in milliseconds by the database's clock.
@Suite struct SilenceJudgeTests {
    private static let now: Int64 = 10_000_000
    private static let path = PathState(recordedUntilMilliseconds: now, upSinceMilliseconds: 0)

    private func job(silentFor milliseconds: Int64, _ status: JobStatus = .running) throws -> SilentJob {
        SilentJob(
            id: try #require(JobID("job")),
            status: status,
            attempt: 1,
            seq: 0,
            contactMilliseconds: Self.now - milliseconds,
            lastContactMilliseconds: Self.now - milliseconds,
            readMilliseconds: Self.now
        )
    }

    private func decision(
        _ job: SilentJob,
        held: HeldRows = HeldRows()
    ) throws -> SilenceJudge.Decision {
        let rule = try #require(StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300))
        return SilenceJudge(rule: rule).decision(on: job, Self.path, held)
    }

    private func isMark(_ decision: SilenceJudge.Decision, _ expected: StaleRule.Mark) -> Bool {
        guard case .mark(let mark, _) = decision else { return false }
        return mark == expected
    }

    @Test func `a running job's row is looked at from half of the threshold on`() throws {
        #expect(try decision(job(silentFor: 29_999)) == .nothing)
        #expect(try decision(job(silentFor: 30_000)) == .probe)
        #expect(isMark(try decision(job(silentFor: 60_000)), .stall))
        #expect(try decision(job(silentFor: 299_999, .stalled)) == .nothing)
        #expect(isMark(try decision(job(silentFor: 300_000, .stalled)), .fail))
    }

    @Test func `a row that was held until just before the threshold gives its client the whole of it`() throws
    {
        var held = HeldRows()
        let id = try #require(JobID("job"))
        _ = held.note(id, nowMilliseconds: Self.now - 30_000)
        _ = held.note(id, nowMilliseconds: Self.now - 500)
        #expect(try decision(job(silentFor: 60_000), held: held) == .probe)
        #expect(try decision(job(silentFor: 900_000, .stalled), held: held) == .probe)
    }
}
