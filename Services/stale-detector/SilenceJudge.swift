import Database
import JobModel

/// What a look makes of a silent job. Pure.
struct SilenceJudge {
    /// What is to be done.
    enum Decision: Equatable {
        /// Its silence is too short, or may be ours.
        case nothing
        /// Its row was held until lately, so its client had no chance to be heard since. It may still be held.
        case probe
        /// The silence is its client's own.
        case mark(StaleRule.Mark, SilenceEvidence)
    }

    let rule: StaleRule

    /// Which jobs are worth reading: by status, silent for so many seconds.
    func candidates(_ path: PathState) -> [(status: JobStatus, seconds: Int64)] {
        [(JobStatus.running, rule.stalledAfterSeconds), (.stalled, rule.failedAfterSeconds)]
            .filter { path.longestSilence >= $0.1 * 1000 }
    }

    /// Judges one job.
    func decision(on job: SilentJob, _ path: PathState, _ held: HeldRows) -> Decision {
        var silence = path.silence(
            sinceContact: job.contactMilliseconds,
            nowMilliseconds: job.readMilliseconds
        )
        guard rule.mark(status: job.status, silenceMilliseconds: silence) != nil else { return .nothing }
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
