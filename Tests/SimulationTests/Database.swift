import JobModel

@testable import Database
@testable import Writer

/// The tables in memory, with the clock of their server: a transaction happens at one instant.
///
/// Unchecked: see `Scheduler`.
final class SimulatedDatabase: @unchecked Sendable {
    struct Row {
        var job: Job
        /// `last_contact_ms`, by the database's clock.
        var contact: Int64?
    }

    enum Failure: Error {
        case down, deadlock, rowHeld, connectionLost
    }

    private static let epoch: Int64 = 1_760_000_000_000

    private unowned let world: World
    private(set) var rows: [JobID: Row] = [:]
    private var beats: [PathBeat] = []
    /// Messages whose effect is committed, by job, in the order of their first commit.
    private(set) var log: [JobID: [Int]] = [:]
    /// Those of them that have changed a row.
    private(set) var effects: [JobID: [Int]] = [:]
    var clockOffset: Int64 = 0
    var isDown = false
    var pausedUntil: Int64 = 0
    var heldUntil: [JobID: Int64] = [:]

    init(_ world: World) {
        self.world = world
    }

    /// The database's clock.
    var now: Int64 { Self.epoch + world.scheduler.now + clockOffset }
    /// It answers nothing, and drops nothing.
    var isPaused: Bool { world.scheduler.now < pausedUntil }

    func isHeld(_ job: JobID) -> Bool { world.scheduler.now < heldUntil[job] ?? 0 }

    /// A row that the hub made.
    func insert(_ job: Job) { rows[job.id] = Row(job: job) }

    /// One transaction of the careful way.
    func transact(_ items: [LaneItem]) throws(Failure) -> [Answer] {
        guard !isDown else { throw .down }
        let ids = Batch.jobIDs(items)
        guard !ids.contains(where: { isHeld($0) }) else { throw .rowHeld }
        guard !world.fails(world.plan.deadlockPermille) else { throw .deadlock }
        var stored: [JobID: Job] = [:]
        for id in ids { stored[id] = rows[id]?.job }
        let isLost = world.fails(world.plan.lostCommitPermille)
        if isLost, world.scheduler.chance(500) { throw .connectionLost }
        let outcome = Batch.apply(items, to: stored, nowMilliseconds: world.scheduler.now)
        for change in outcome.changes { store(change) }
        for (item, answer) in zip(items, outcome.answers) where answer.verdict != .conflict {
            note(item.message, isEffect: answer.verdict == .applied)
        }
        if isLost { throw .connectionLost }
        return outcome.answers
    }

    private func note(_ message: JobMessage, isEffect: Bool) {
        guard let tag = world.tag(of: message) else { return }
        if isEffect, effects[message.jobID]?.contains(tag) != true {
            effects[message.jobID, default: []].append(tag)
        }
        if log[message.jobID]?.contains(tag) != true { log[message.jobID, default: []].append(tag) }
    }

    /// As `JobStore` stores it.
    private func store(_ change: JobChange) {
        let id = change.after.id
        var contact = rows[id]?.contact
        if !change.after.hasTelemetry {
            contact = nil
        } else if let age = change.contactAgeMilliseconds {
            let told = now - age
            contact = contact.map { $0 > now ? told : max($0, told) } ?? told
        }
        world.check(change)
        rows[id] = Row(job: change.after, contact: contact)
        world.scheduler.trace("stored \(id) \(change.after.status.rawValue) bytes=\(change.after.bytes)")
    }

    // MARK: - Beats

    /// As `PathStore` stores it.
    func store(_ beat: PathStore.NewBeat, writer: String, lane: Int32) {
        let known = beats.firstIndex { $0.ingest == beat.ingest && $0.writer == writer && $0.lane == lane }
        guard let known else {
            return beats.append(
                PathBeat(
                    ingest: beat.ingest,
                    writer: writer,
                    lane: lane,
                    beatMilliseconds: now - beat.ageMilliseconds,
                    upSinceMilliseconds: now,
                    isOff: beat.signsOff
                )
            )
        }
        beats[known].take(
            ageMilliseconds: beat.ageMilliseconds,
            isInterrupted: beat.isInterrupted,
            gapMilliseconds: Plan.gapMilliseconds,
            nowMilliseconds: now
        )
        beats[known].isOff = beat.signsOff
    }

    /// A lane ends in order.
    func signOff(writer: String, lane: Int32) {
        for index in beats.indices
        where beats[index].writer == writer && beats[index].lane == lane && !beats[index].isOff {
            (beats[index].isOff, beats[index].isWriterOff) = (true, true)
        }
    }

    /// Lanes that a writer has no more.
    func signOff(writer: String, lanesFrom laneCount: Int) {
        for index in beats.indices where beats[index].writer == writer && beats[index].lane >= laneCount {
            (beats[index].isOff, beats[index].isWriterOff) = (true, false)
        }
    }

    /// Whether the ingest has ever come through.
    func knows(_ ingest: String) -> Bool { beats.contains { $0.ingest == ingest } }

    /// All beats, and now by the same clock. nil: it cannot be reached.
    func read() -> (beats: [PathBeat], nowMilliseconds: Int64)? { isDown ? nil : (beats, now) }

    // MARK: - Silence

    /// As `SilenceStore` reads them.
    func silentJobs(status: JobStatus, forSeconds seconds: Int64) -> [SilentJob] {
        let now = now
        return rows.values.filter { row in
            guard row.job.status == status, let contact = row.contact else { return false }
            return contact <= now - seconds * 1000 || contact > now
        }.map { row in
            SilentJob(
                id: row.job.id,
                status: status,
                attempt: row.job.attempt,
                seq: row.job.seq,
                contactMilliseconds: row.contact ?? now,
                lastContactMilliseconds: row.contact,
                readMilliseconds: now
            )
        }.sorted { ($0.contactMilliseconds, $0.id) < ($1.contactMilliseconds, $1.id) }
    }

    /// Marks a job that is still what was read; as `SilenceStore` does it.
    func mark(_ silent: SilentJob, as mark: StaleRule.Mark, by rule: StaleRule) throws(Failure) -> Bool {
        try probe(silent)
        guard var row = rows[silent.id], row.job.status == silent.status, row.job.attempt == silent.attempt,
            row.contact == silent.lastContactMilliseconds
        else { return false }
        row.job.speed = 0
        switch mark {
        case .stall:
            row.job.status = .stalled
            row.job.etaSeconds = nil
            row.job.errorMessage = rule.stalledMessage
        case .fail:
            row.job.status = .failed
            row.job.isPresumed = true
            row.job.etaSeconds = 0
            row.job.errorMessage = rule.failedMessage
            for index in row.job.disks.indices where row.job.disks[index].status != .completed {
                row.job.disks[index].status = .failed
                row.job.disks[index].errorMessage = rule.failedMessage
            }
        }
        rows[silent.id] = row
        return true
    }

    func probe(_ silent: SilentJob) throws(Failure) {
        guard !isDown else { throw .down }
        guard !isHeld(silent.id) else { throw .rowHeld }
    }
}
