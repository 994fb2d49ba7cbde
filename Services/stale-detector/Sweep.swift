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
        repeat {
            guard let connection = session.connection() else { continue }
            do throws(DatabaseError) {
                let start = MonotonicClock.nowNanoseconds
                try sweep(SilenceStore(connection), .running, settings.rule.stalledAfterSeconds)
                try sweep(SilenceStore(connection), .stalled, settings.rule.failedAfterSeconds)
                scans.recordNanoseconds(MonotonicClock.nowNanoseconds - start)
                session.succeeded()
            } catch  where error.kind == .retry {
                logger.debug("another transaction was in the way", metadata: ["error": "\(error)"])
            } catch {
                session.failed(error)
            }
        } while !stop.wait(milliseconds: settings.scanIntervalMilliseconds)
    }

    private func sweep(_ store: SilenceStore, _ status: JobStatus, _ seconds: Int64) throws(DatabaseError) {
        for job in try store.silentJobs(status: status, forSeconds: seconds) {
            guard
                let mark = settings.rule.mark(
                    status: job.status,
                    silenceMilliseconds: job.silenceMilliseconds
                )
            else { continue }
            if stop.isOpen { return }
            do throws(DatabaseError) {
                if try store.mark(job, as: mark, by: settings.rule) { announce(job, mark) }
            } catch {
                guard Self.isOfOneRow(error) else { throw error }
                // A row that somebody holds, or that the database refuses, must not hold up the others.
                logger.warning(
                    "a silent job cannot be marked now; the next look tries again",
                    metadata: ["job_id": "\(job.id)", "error": "\(error)"]
                )
            }
        }
    }

    private static func isOfOneRow(_ error: DatabaseError) -> Bool {
        switch error.kind {
        case .retry, .refused, .duplicateKey, .missingParent, .missingColumn: true
        case .connectionLost, .readOnly, .outOfSpace, .accessDenied, .schemaMismatch, .serverTrouble: false
        }
    }

    private func announce(_ job: SilentJob, _ mark: StaleRule.Mark) {
        let seconds = mark == .stall ? settings.rule.stalledAfterSeconds : settings.rule.failedAfterSeconds
        (mark == .stall ? stalledMarks : failedMarks).increment()
        lateness.recordMilliseconds(max(0, job.silenceMilliseconds - seconds * 1000))
        let message = mark == .stall ? settings.rule.stalledMessage : settings.rule.failedMessage
        logger.warning(
            "\(message)",
            metadata: [
                "job_id": "\(job.id)", "status": "\(mark == .stall ? "stalled" : "failed")",
                "silence_ms": "\(job.silenceMilliseconds)", "last_seq": "\(job.seq)",
            ]
        )
    }
}
