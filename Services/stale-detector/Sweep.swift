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
        var isFull = false
        repeat {
            isFull = false
            guard let connection = session.connection() else { continue }
            do throws(DatabaseError) {
                let start = MonotonicClock.nowNanoseconds
                let (beats, now) = try PathStore(connection).read()
                let path = watch.judge(
                    beats,
                    nowMilliseconds: now,
                    monotonicMilliseconds: MonotonicClock.nowMilliseconds
                )
                isFull = try sweep(SilenceStore(connection), path, &held)
                scans.recordNanoseconds(MonotonicClock.nowNanoseconds - start)
                session.succeeded()
            } catch  where error.kind == .retry {
                logger.debug("another transaction was in the way", metadata: ["error": "\(error)"])
            } catch {
                session.failed(error)
            }
        } while !stop.wait(milliseconds: isFull ? 0 : settings.scanIntervalMilliseconds)
    }

    /// Returns whether there may be more to mark than one look sees.
    private func sweep(
        _ store: SilenceStore,
        _ path: PathState,
        _ held: inout HeldRows
    ) throws(DatabaseError) -> Bool {
        guard path.interruption == nil else { return false }
        let look = MonotonicClock.nowMilliseconds
        var jobs: [SilentJob] = []
        var isFull = false
        for (status, seconds) in SilenceJudge(rule: settings.rule).candidates(path) {
            let found = try store.silentJobs(status: status, forSeconds: seconds)
            isFull = isFull || found.count == SilenceStore.jobCountMax
            jobs += found
        }
        held.keep(only: Set(jobs.map(\.id)))
        var marks: [SilenceMark] = []
        var probes: [SilentJob] = []
        for job in jobs {
            switch SilenceJudge(rule: settings.rule).decision(on: job, path, held) {
            case .nothing: continue
            case .probe: probes.append(job)
            case .mark(let mark, let evidence):
                marks.append(SilenceMark(job: job, mark: mark, evidence: evidence))
            }
        }
        var markedCount = 0
        for part in marks.chunks(of: SilenceStore.markCountMax) where !stop.isOpen {
            markedCount += try mark(part, store, &held, look)
        }
        for part in probes.chunks(of: SilenceStore.markCountMax) where !stop.isOpen {
            try probe(part, store, &held)
        }
        return isFull && markedCount > 0
    }

    /// Marks some jobs at once; where that fails for the sake of one of them, one by one. Returns how many it marked.
    private func mark(
        _ marks: [SilenceMark],
        _ store: SilenceStore,
        _ held: inout HeldRows,
        _ look: Int64
    ) throws(DatabaseError) -> Int {
        do throws(DatabaseError) {
            let marked = try store.mark(marks, by: settings.rule)
            for mark in marks {
                held.forget(mark.job.id)
                if marked.contains(mark.job.id) {
                    announce(mark, sinceLook: MonotonicClock.nowMilliseconds - look)
                }
            }
            return marked.count
        } catch {
            guard Self.isOfOneRow(error) else { throw error }
            if let only = marks.first, marks.count == 1 {
                noteFailure(only.job, error, &held)
                return 0
            }
            var count = 0
            for mark in marks where !stop.isOpen { count += try self.mark([mark], store, &held, look) }
            return count
        }
    }

    /// Looks whether somebody holds rows of jobs: their clients had no chance to be heard then.
    private func probe(
        _ jobs: [SilentJob],
        _ store: SilenceStore,
        _ held: inout HeldRows
    ) throws(DatabaseError) {
        do throws(DatabaseError) {
            try store.probe(jobs)
        } catch {
            guard Self.isOfOneRow(error) else { throw error }
            if let only = jobs.first, jobs.count == 1 { return noteFailure(only, error, &held) }
            for job in jobs where !stop.isOpen { try probe([job], store, &held) }
        }
    }

    /// A row that somebody holds, or that the database refuses, must not hold up the others.
    private func noteFailure(_ job: SilentJob, _ error: DatabaseError, _ held: inout HeldRows) {
        if error.kind == .retry, !held.note(job.id, nowMilliseconds: job.readMilliseconds) { return }
        logger.warning(
            "a silent job cannot be marked now; the next look tries again",
            metadata: ["job_id": "\(job.id)", "error": "\(error)"]
        )
    }

    private static func isOfOneRow(_ error: DatabaseError) -> Bool {
        switch error.kind {
        case .retry, .refused, .duplicateKey, .missingParent, .missingColumn: true
        case .connectionLost, .readOnly, .outOfSpace, .accessDenied, .schemaMismatch, .serverTrouble: false
        }
    }

    private func announce(_ mark: SilenceMark, sinceLook milliseconds: Int64) {
        let rule = settings.rule
        let job = mark.job
        (mark.mark == .stall ? stalledMarks : failedMarks).increment()
        // Since the moment at which the mark was due, be it by the job's last contact or by the way's return.
        let since = max(job.contactMilliseconds, mark.evidence.pathUpSinceMilliseconds)
        let due = since + mark.thresholdSeconds(rule) * 1000
        lateness.recordMilliseconds(max(0, job.readMilliseconds + milliseconds - due))
        let message = mark.mark == .stall ? rule.stalledMessage : rule.failedMessage
        logger.warning(
            "\(message)",
            metadata: [
                "job_id": "\(job.id)", "status": "\(mark.mark == .stall ? "stalled" : "failed")",
                "silence_ms": "\(mark.evidence.silenceMilliseconds)", "last_seq": "\(job.seq)",
            ]
        )
    }
}

extension Array {
    /// The elements in parts of a size, the last one perhaps smaller.
    fileprivate func chunks(of count: Int) -> [[Element]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }
}
