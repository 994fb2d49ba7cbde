import Database
import JobModel
import MessageBus
import Threading
import Wire

/// The writer alone: batches as ingest sends them, made beforehand, with so many messages under way at any time.
final class WriterLoad {
    /// What a run came to.
    struct Outcome {
        /// Messages that were answered as applied, within the time measured.
        var applied: Int
        /// Messages that were answered otherwise, in the whole run.
        var others: Int
        /// Messages without an answer at the end.
        var unanswered: Int
        var cost: Cost
    }

    private struct Batch {
        var bytes: [UInt8]
        var count: Int
    }

    /// The most messages in one batch: what arrives at ingest while it sends the batch before.
    private static let batchCountMax = 128
    private static let warmUpSeconds = 0.5
    private static let drainSeconds = 10.0

    private let endpoint: String
    private let jobs: JobSet
    private let counter: MessageCounter
    private let context = BusContext()
    private let wakeup = Wakeup()
    private let sender: [UInt8] = Array(repeating: 0x42, count: 16)
    /// Messages per second that were seen: what is made beforehand follows from it.
    private var ratePerSecond = 40_000.0

    init(endpoint: String, jobs: JobSet, counter: MessageCounter) {
        self.endpoint = endpoint
        self.jobs = jobs
        self.counter = counter
    }

    /// Loads the writer.
    ///
    /// - Parameters:
    ///   - seconds: the time that is measured.
    ///   - window: messages without an answer at any time.
    ///   - meter: the processes whose CPU counts.
    ///   - ledger: gets what was acknowledged.
    /// - Returns: what came of it.
    /// - Throws: `BusError`, or `EndToEndError` where a process is gone.
    func run(seconds: Double, window: Int, meter: Meter, ledger: inout Ledger) throws -> Outcome {
        let batchCount = max(1, min(Self.batchCountMax, window / 8))
        var batches = try makeBatches(
            count: Int(ratePerSecond * 1.5 * (seconds + Self.warmUpSeconds)) / batchCount + 1,
            of: batchCount,
            seconds: seconds + Self.warmUpSeconds
        )
        let socket = try DealerSocket(context, connect: [endpoint])
        var outstanding = 0
        var tally = (applied: 0, others: 0)
        var measured: (begin: Meter.Reading, applied: Int)?
        var outcome: Outcome?
        let start = MonotonicClock.nowNanoseconds
        let begin = start + Int64(Self.warmUpSeconds * 1e9)
        // From the first reading, which may come late on a busy machine.
        var end = Int64.max
        while true {
            wakeup.clear()
            let now = MonotonicClock.nowNanoseconds
            if measured == nil, now >= begin {
                measured = (try meter.read(), tally.applied)
                end = now + Int64(seconds * 1e9)
            }
            if outcome == nil, let measured, now >= end {
                outcome = Outcome(
                    applied: tally.applied - measured.applied,
                    others: 0,
                    unanswered: 0,
                    cost: meter.cost(from: measured.begin, to: try meter.read())
                )
            }
            while outcome == nil, outstanding + batchCount <= window {
                if batches.isEmpty { batches = [try makeBatch(batchCount)] }
                guard let batch = batches.first, try socket.send(batch.bytes) else { break }
                batches.removeFirst()
                outstanding += batch.count
            }
            while let frame = try socket.receive() {
                for answer in try AnswerBatch(decoding: frame).answers {
                    outstanding -= 1
                    if answer.answer.verdict == .applied {
                        tally.applied += 1
                        ledger.acknowledged(Int(answer.messageID))
                    } else {
                        tally.others += 1
                    }
                }
            }
            if var outcome, outstanding <= 0 || Double(now - end) > Self.drainSeconds * 1e9 {
                outcome.others = tally.others
                outcome.unanswered = outstanding
                ratePerSecond = max(5000, Double(outcome.applied) / outcome.cost.seconds)
                return outcome
            }
            socket.wait(or: wakeup, milliseconds: 5)
        }
    }

    /// Makes batches beforehand; no longer than for so many seconds, since the rest can be made on the way.
    private func makeBatches(count: Int, of size: Int, seconds: Double) throws -> ArraySlice<Batch> {
        let deadline = MonotonicClock.nowNanoseconds + Int64(seconds * 1e9)
        var batches: [Batch] = []
        while batches.count < count, MonotonicClock.nowNanoseconds < deadline {
            batches.append(try makeBatch(size))
        }
        return batches[...]
    }

    private func makeBatch(_ count: Int) throws -> Batch {
        let first = counter.take(count)
        let numbers = first..<first + count
        let envelopes = numbers.map { number in
            Envelope(messageID: UInt64(number), ageMilliseconds: 0, message: .report(report(number)))
        }
        let bytes = try EnvelopeBatch(sender: sender, envelopes: envelopes).encoded()
        return Batch(bytes: bytes, count: envelopes.count)
    }

    private func report(_ number: Int) -> Report {
        guard let id = JobID(jobs.id(jobs.job(number))) else { preconditionFailure("no job id") }
        return Report(
            jobID: id,
            status: .running,
            phase: "transferring",
            bytes: jobs.bytes(number),
            total: jobs.total,
            speed: jobs.speed(number),
            etaSeconds: Int32(jobs.etaSeconds(number)),
            percentHundredths: 4250,
            disks: (0..<jobs.diskCount).map { disk in
                DiskReport(
                    index: Int32(disk),
                    bytes: jobs.diskBytes(number),
                    total: JobSet.diskTotal,
                    status: .transferring
                )
            },
            timestampMilliseconds: 1_760_099_999_000,
            attempt: 1,
            seq: jobs.seq(number)
        )
    }
}
