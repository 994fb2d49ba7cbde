import Database
import JobModel

/// What a look makes of a silent job. Pure.
struct SilenceJudge {
    /// What is to be done.
    enum Decision: Equatable {
        /// Its silence is too short, or may be ours.
        case nothing
        /// Look whether its row is held: its client had no chance to be heard then.
        case probe
        /// The silence is its client's own.
        case mark(StaleRule.Mark, SilenceEvidence)
    }

    let rule: StaleRule

    /// Which jobs are worth reading: by status, silent for so many seconds.
    ///
    /// A running job is looked at from half of its threshold on. So a row that was held until just before it is
    /// known, and one that is free has been so for long enough to be heard again.
    func candidates(_ path: PathState) -> [(status: JobStatus, seconds: Int64)] {
        [(JobStatus.running, max(1, rule.stalledAfterSeconds / 2)), (.stalled, rule.failedAfterSeconds)]
            .filter { path.longestSilence >= $0.1 * 1000 }
    }

    /// Judges one job.
    func decision(on job: SilentJob, _ path: PathState, _ held: HeldRows) -> Decision {
        var silence = path.silence(
            sinceContact: job.contactMilliseconds,
            nowMilliseconds: job.readMilliseconds
        )
        let worthALook = candidates(path).first { $0.status == job.status }
        guard let worthALook, silence >= worthALook.seconds * 1000 else { return .nothing }
        if let heldUntil = held.heldUntil(job.id), let recordedUntil = path.recordedUntilMilliseconds {
            silence = min(silence, max(0, recordedUntil - heldUntil))
        }
        guard let mark = rule.mark(status: job.status, silenceMilliseconds: silence) else { return .probe }
        let evidence = SilenceEvidence(
            silenceMilliseconds: silence,
            pathUpSinceMilliseconds: path.upSinceMilliseconds
        )
        return .mark(mark, evidence)
    }
}
