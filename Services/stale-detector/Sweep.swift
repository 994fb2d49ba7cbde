import Database
import DatabaseKit
import JobModel
import Logging
import Metrics
import ServiceKit
import Threading

/// Looks at the silent jobs again and again: candidates by index, the rule, then one conditional mark each.
final class Sweep: Sendable {
    /// The name under which the database shows in the detector's health.
    static let part = "database"

    private let settings: StaleDetectorSettings
    private let health: Health
    private let logger: Logger
    private let stop = Latch()
    private let lateness = Metrics.Timer(label: "sendense_stale_detector_mark_lateness_seconds")
    private let scans = Metrics.Timer(label: "sendense_stale_detector_scan_seconds")
    private let stalledMarks = Counter(
        label: "sendense_stale_detector_marks_total",
        dimensions: [("status", "stalled")]
    )
    private let failedMarks = Counter(
        label: "sendense_stale_detector_marks_total",
        dimensions: [("status", "failed")]
    )

    init(_ settings: StaleDetectorSettings, health: Health, logger: Logger) {
        self.settings = settings
        self.health = health
        self.logger = logger
    }

    /// The sweep as a service.
    func service() -> ThreadService {
        ThreadService(name: "sweep") { [stop] in
            stop.open()
        } _: { [self] in
            DatabaseLibrary.withThread { run() }
        }
    }

    private func run() {
        // Operators look for this very line after a deployment.
        logger.info(
            "🚨 Stale job detector started",
            metadata: [
                "stalled_after_s": "\(settings.rule.stalledAfterSeconds)",
                "failed_after_s": "\(settings.rule.failedAfterSeconds)",
            ]
        )
        let session = Session(settings.database, part: Self.part, health: health, logger: logger)
        var watch = PathWatch(PathRule(settings.rule), health: health, logger: logger)
        var held = HeldRows()
        repeat {
            guard let connection = session.connection() else { continue }
            do throws(DatabaseError) {
                let start = MonotonicClock.nowNanoseconds
                let (beats, now) = try PathStore(connection).read()
                let path = watch.judge(beats, nowMilliseconds: now)
                try sweep(SilenceStore(connection), path, &held)
                scans.recordNanoseconds(MonotonicClock.nowNanoseconds - start)
                session.succeeded()
            } catch  where error.kind == .retry {
                logger.debug("another transaction was in the way", metadata: ["error": "\(error)"])
            } catch {
                session.failed(error)
            }
        } while !stop.wait(milliseconds: settings.scanIntervalMilliseconds)
    }

    private func sweep(
        _ store: SilenceStore,
        _ path: PathState,
        _ held: inout HeldRows
    ) throws(DatabaseError) {
        guard path.interruption == nil else { return }
        var jobs: [SilentJob] = []
        for (status, seconds) in SilenceJudge(rule: settings.rule).candidates(path) {
            jobs += try store.silentJobs(status: status, forSeconds: seconds)
        }
        held.keep(only: Set(jobs.map(\.id)))
        for job in jobs {
            if stop.isOpen { return }
            try judge(job, store, path, &held)
        }
    }

    private func judge(
        _ job: SilentJob,
        _ store: SilenceStore,
        _ path: PathState,
        _ held: inout HeldRows
    ) throws(DatabaseError) {
        let rule = settings.rule
        let decision = SilenceJudge(rule: rule).decision(on: job, path, held)
        do throws(DatabaseError) {
            switch decision {
            case .nothing: return
            case .probe: return try store.probe(job)
            case .mark(let mark, let evidence):
                if try store.mark(job, as: mark, evidence, by: rule) { announce(job, mark, evidence) }
            }
            held.forget(job.id)
        } catch {
            guard Self.isOfOneRow(error) else { throw error }
            // A row that somebody holds, or that the database refuses, must not hold up the others.
            if error.kind == .retry, !held.note(job.id, nowMilliseconds: job.readMilliseconds) { return }
            logger.warning(
                "a silent job cannot be marked now; the next look tries again",
                metadata: ["job_id": "\(job.id)", "error": "\(error)"]
            )
        }
    }

    private static func isOfOneRow(_ error: DatabaseError) -> Bool {
        switch error.kind {
        case .retry, .refused, .duplicateKey, .missingParent, .missingColumn: true
        case .connectionLost, .readOnly, .outOfSpace, .accessDenied, .schemaMismatch, .serverTrouble: false
        }
    }

    private func announce(_ job: SilentJob, _ mark: StaleRule.Mark, _ evidence: SilenceEvidence) {
        let seconds = mark == .stall ? settings.rule.stalledAfterSeconds : settings.rule.failedAfterSeconds
        (mark == .stall ? stalledMarks : failedMarks).increment()
        // Since the moment at which the mark was due, be it by the job's last contact or by the way's return.
        let since = max(job.contactMilliseconds, evidence.pathUpSinceMilliseconds)
        lateness.recordMilliseconds(max(0, job.readMilliseconds - since - seconds * 1000))
        let message = mark == .stall ? settings.rule.stalledMessage : settings.rule.failedMessage
        logger.warning(
            "\(message)",
            metadata: [
                "job_id": "\(job.id)", "status": "\(mark == .stall ? "stalled" : "failed")",
                "silence_ms": "\(evidence.silenceMilliseconds)", "last_seq": "\(job.seq)",
            ]
        )
    }
}
