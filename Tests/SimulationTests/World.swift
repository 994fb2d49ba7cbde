import JobModel

@testable import Database

/// The whole path from clients to rows and marks, in one thread and on virtual time, as one seed has it.
///
/// Unchecked: see `Scheduler`.
final class World: @unchecked Sendable {
    let seed: UInt64
    let scheduler: Scheduler
    let plan: Plan
    private(set) lazy var database = SimulatedDatabase(self)
    private(set) lazy var writers = (0..<plan.writerCount).map { SimulatedWriter("writer-\($0)", self) }
    private(set) lazy var ingests = (0..<plan.ingestCount).map { SimulatedIngest("ingest-\($0)", self) }
    private(set) var detectors: [SimulatedDetector] = []
    private(set) var clients: [JobID: SimulatedClient] = [:]
    private(set) var jobs: [JobID] = []
    /// What went wrong first. nil: nothing.
    private(set) var violation: String?
    private var receipts: [Receipt] = []
    /// How late the latest mark of a dead client's job was, in milliseconds.
    private(set) var latest: Int64 = 0
    private(set) var markCount = 0
    /// How far the database's clock was set back, in all.
    var setBackMilliseconds: Int64 = 0
    private lazy var settledAt = plan.quietMilliseconds + Plan.stalledAfterSeconds * 1500
    /// The largest number of entries in an outbox.
    private(set) var entryCountMax = 0

    init(seed: UInt64, isTracing: Bool) {
        self.seed = seed
        scheduler = Scheduler(seed: seed, isTracing: isTracing)
        plan = Plan(scheduler)
    }

    /// Runs the seed. Returns what went wrong first; nil: nothing.
    func run() -> String? {
        guard
            let rule = StaleRule(
                stalledAfterSeconds: Plan.stalledAfterSeconds,
                failedAfterSeconds: Plan.failedAfterSeconds
            )
        else { return "the thresholds make no rule" }
        scheduler.trace("seed \(seed): \(plan)")
        for number in 0..<plan.detectorCount {
            let detector = SimulatedDetector("detector-\(number)", self, rule: rule)
            detectors.append(detector)
            scheduler.after(scheduler.pick(0...700)) { detector.start() }
        }
        for (number, writer) in writers.enumerated() {
            let delay =
                number == 0
                ? scheduler.pick(0...Plan.firstStartMillisecondsMax)
                : scheduler.pick(0...Plan.startMillisecondsMax)
            scheduler.after(delay) { [plan] in writer.start(laneCount: plan.laneCount) }
        }
        for (number, ingest) in ingests.enumerated() {
            let delay =
                number == 0
                ? scheduler.pick(0...Plan.firstStartMillisecondsMax)
                : scheduler.pick(0...Plan.startMillisecondsMax)
            scheduler.after(delay) { ingest.start() }
        }
        makeClients()
        Faults(self).schedule()
        scheduler.run(until: plan.quietMilliseconds) { violation == nil }
        let end = plan.quietMilliseconds + endMilliseconds
        scheduler.run(until: end) { violation == nil && !isSettled }
        checkRows()
        for client in clients.values { client.stop() }
        scheduler.run(until: scheduler.now + 5000) { violation == nil }
        checkEnd()
        for ingest in ingests { ingest.dispose() }
        return violation
    }

    /// From the last fault until every dead client's job has to be marked.
    ///
    /// A contact of before the clock was set back counts from the step, and again from itself once the clock has come
    /// by it.
    private var endMilliseconds: Int64 {
        Plan.failedAfterSeconds * 1000 + lateMillisecondsMax
            + min(setBackMilliseconds, Plan.failedAfterSeconds * 1000)
    }

    /// Every dead client's job is marked, and the others have been watched for long enough.
    private var isSettled: Bool {
        guard scheduler.now >= settledAt else { return false }
        settledAt = scheduler.now + 1000
        return ingests.allSatisfy { $0.file.entries.isEmpty }
            && clients.values.allSatisfy { client in
                guard let row = database.rows[client.job], !row.job.isFinal else { return !client.isLive }
                return client.isLive || client.script.isSilent || row.job.status == .failed
                    || !row.job.hasTelemetry
            }
    }

    private var lateMillisecondsMax: Int64 {
        plan.faultCount == 0 ? Plan.undisturbedLateMillisecondsMax : Plan.lateMillisecondsMax
    }

    private func makeClients() {
        for number in 0..<plan.clientCount {
            guard let job = JobID("job-\(number)") else { continue }
            let client = SimulatedClient(number, self, job: job)
            jobs.append(job)
            clients[job] = client
            let start = scheduler.pick(2500...12_000)
            let isMortal = scheduler.chance(400)
            let dies = isMortal ? scheduler.pick(start...max(start, plan.quietMilliseconds)) : nil
            client.start(at: start, diesAt: dies)
        }
    }

    /// Whether something fails that does so now and then. Not once the faults are over.
    func fails(_ permille: Int64) -> Bool {
        permille > 0 && scheduler.now < plan.quietMilliseconds && scheduler.chance(permille)
    }

    /// Says what must be so.
    func expect(_ isSo: Bool, _ words: @autoclosure () -> String) {
        guard !isSo, violation == nil else { return }
        violation = "at \(scheduler.now) ms: \(words())"
        scheduler.trace("VIOLATION \(words())")
    }

    /// For something that has to be answered exactly once.
    func receipt(in ingest: String) -> Receipt {
        let receipt = Receipt(self, in: ingest, at: scheduler.now)
        receipts.append(receipt)
        return receipt
    }

    /// An ingest is gone, and with it whatever waited for an answer.
    func excuse(_ ingest: String) {
        for receipt in receipts where receipt.ingest == ingest && receipt.count == 0 {
            receipt.isExcused = true
        }
    }

    /// The number that the message carries. nil: it carries none.
    func tag(of message: JobMessage) -> Int? {
        switch message {
        case .report(let report): report.etaSeconds.map(Int.init)
        case .completion(let completion): Int(completion.changeID)
        case .registration, .cancel: nil
        }
    }

    /// The message in a few words, for the trace.
    func words(_ message: JobMessage) -> String {
        let tag = tag(of: message).map { " #\($0)" } ?? ""
        return switch message {
        case .report(let report): "\(report.jobID)\(tag) \(report.status.rawValue) bytes=\(report.bytes)"
        case .completion(let completion): "\(completion.jobID)\(tag) complete disk=\(completion.diskIndex)"
        case .registration(let registration): "\(registration.jobID) registration"
        case .cancel(let request): "\(request.jobID) cancel"
        }
    }

    /// What a mark has to be.
    func marked(_ silent: SilentJob, _ mark: StaleRule.Mark, _ path: PathState) {
        guard let client = clients[silent.id] else { return }
        let what = mark == .stall ? "stalled" : "failed"
        scheduler.trace("\(silent.id) is marked \(what); path up since \(path.upSinceMilliseconds)")
        markCount += 1
        expect(!client.isLive || client.isCutOff, "\(silent.id) is marked \(what) though its client lives")
        expect(!client.isEndAcknowledged, "\(silent.id) is marked \(what) though its end was acknowledged")
        expect(!client.script.isSilent, "\(silent.id) is marked \(what) though it never reported")
        guard mark == .fail, !client.isLive else { return }
        let since = max(client.lastToldAt, plan.wholeMilliseconds)
        latest = max(
            latest,
            scheduler.now - since - Plan.failedAfterSeconds * 1000
                - min(setBackMilliseconds, Plan.failedAfterSeconds * 1000)
        )
    }

    /// What every change of a row has to be.
    func check(_ change: JobChange) {
        let job = change.after
        if !job.disks.isEmpty {
            expect(
                job.bytes == job.disks.reduce(0) { $0 + $1.bytes },
                "\(job.id) has \(job.bytes) bytes, and its disks have others"
            )
        }
        expect((0...10_000).contains(job.percentHundredths), "\(job.id) is at \(job.percentHundredths)")
        guard let before = change.before, before.isFinal else { return }
        expect(
            before.status == job.status && before.bytes == job.bytes && before.attempt == job.attempt,
            "\(job.id) was final and has moved"
        )
    }

    /// What waits grows with jobs and transitions, not with messages: between two transitions one progress, and one
    /// more may be under way.
    func checkBound(of file: OutboxStorage, in name: String) {
        entryCountMax = max(entryCountMax, file.entries.count)
        guard file.entries.count > 4 else { return }
        for (job, entries) in Dictionary(grouping: file.entries.values, by: \.message.jobID) {
            let transitions = entries.filter { !$0.message.isProgress }.count
            expect(
                entries.count <= 2 * transitions + 3,
                "\(name) keeps \(entries.count) entries of \(job) for \(transitions) transitions"
            )
        }
    }

    private func checkRows() {
        for job in jobs {
            guard let client = clients[job], let row = database.rows[job] else { continue }
            Audit(self, client, row.job).run()
        }
    }

    private func checkEnd() {
        guard violation == nil else { return }
        for ingest in ingests where ingest.isUp {
            expect(ingest.links.allSatisfy { $0.count <= 2 }, "\(ingest.name) still waits for verdicts")
        }
        // What a killed ingest was asked nobody answers any more.
        for receipt in receipts where !receipt.isExcused {
            expect(
                receipt.count == 1,
                "what came to \(receipt.ingest) at \(receipt.at) ms was answered \(receipt.count) times"
            )
        }
    }
}
