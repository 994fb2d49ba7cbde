import Database
import JobModel
import MessageBus
import StackSupport
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

    private struct Tally {
        var applied = 0
        var others = 0
    }

    /// The most messages in one batch: what arrives at ingest while it sends the batch before.
    private static let batchCountMax = 128
    private static let warmUpSeconds = 0.5
    private static let drainSeconds = 10.0
    private static let tellSeconds = 60.0

    private let endpoint: String
    private let jobs: JobSet
    private let isOld: Bool
    private let counter: MessageCounter
    private let context = BusContext()
    private let wakeup = Wakeup()
    private let sender: [UInt8] = Array(repeating: 0x42, count: 16)
    /// Messages per second that were seen: what is made beforehand follows from it.
    private var ratePerSecond = 40_000.0

    /// - Parameters:
    ///   - endpoint: the writer's.
    ///   - jobs: what the messages are about.
    ///   - isOld: they are of old clients.
    ///   - counter: numbers the messages.
    init(endpoint: String, jobs: JobSet, isOld: Bool = false, counter: MessageCounter) {
        self.endpoint = endpoint
        self.jobs = jobs
        self.isOld = isOld
        self.counter = counter
    }

    /// Tells of each job once, as fast as the writer takes it. In the field it has heard of running jobs, too, unless it
    /// began a moment ago.
    ///
    /// - Parameters:
    ///   - window: messages without an answer at any time.
    ///   - ledger: gets what was acknowledged.
    /// - Throws: `BusError`, or `EndToEndError` where not all of it was applied within a minute.
    func tellAll(window: Int, ledger: inout Ledger) throws {
        let socket = try DealerSocket(context, connect: [endpoint])
        let batchCount = Self.batchCount(window)
        let deadline = MonotonicClock.nowNanoseconds + Int64(Self.tellSeconds * 1e9)
        var tally = Tally()
        var (rest, outstanding) = (jobs.count, 0)
        var next: Batch?
        while rest > 0 || outstanding > 0 {
            guard MonotonicClock.nowNanoseconds < deadline, tally.others == 0 else {
                throw EndToEndError(
                    "of \(jobs.count) jobs the writer was to hear, \(tally.applied) messages were applied, "
                        + "\(tally.others) were not"
                )
            }
            wakeup.clear()
            while rest > 0, outstanding + batchCount <= window {
                let batch = try next ?? makeBatch(min(rest, batchCount))
                next = batch
                guard try socket.send(batch.bytes) else { break }
                next = nil
                rest -= batch.count
                outstanding += batch.count
            }
            outstanding -= try receive(socket, &tally, &ledger)
            socket.wait(or: wakeup, milliseconds: 5)
        }
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
        let batchCount = Self.batchCount(window)
        var batches = try makeBatches(
            count: Int(ratePerSecond * 1.5 * (seconds + Self.warmUpSeconds)) / batchCount + 1,
            of: batchCount,
            seconds: seconds + Self.warmUpSeconds
        )
        let socket = try DealerSocket(context, connect: [endpoint])
        var outstanding = 0
        var tally = Tally()
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
            outstanding -= try receive(socket, &tally, &ledger)
            if var outcome, outstanding <= 0 || Double(now - end) > Self.drainSeconds * 1e9 {
                outcome.others = tally.others
                outcome.unanswered = outstanding
                ratePerSecond = max(5000, Double(outcome.applied) / outcome.cost.seconds)
                return outcome
            }
            socket.wait(or: wakeup, milliseconds: 5)
        }
    }

    private static func batchCount(_ window: Int) -> Int { max(1, min(batchCountMax, window / 8)) }

    /// Takes in what has been answered.
    ///
    /// - Returns: how many messages.
    private func receive(
        _ socket: borrowing DealerSocket,
        _ tally: inout Tally,
        _ ledger: inout Ledger
    ) throws -> Int {
        var count = 0
        while let frame = try socket.receive() {
            for answer in try AnswerBatch(decoding: frame).answers {
                count += 1
                if answer.answer.verdict == .applied {
                    tally.applied += 1
                    ledger.acknowledged(Int(answer.messageID))
                } else {
                    tally.others += 1
                }
            }
        }
        return count
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
            bytes: isOld ? jobs.diskBytes(number) : jobs.bytes(number),
            total: isOld ? JobSet.diskTotal : jobs.total,
            speed: jobs.speed(number),
            etaSeconds: Int32(jobs.etaSeconds(number)),
            percentHundredths: 4250,
            disks: (0..<(isOld ? 0 : jobs.diskCount)).map { disk in
                DiskReport(
                    index: Int32(disk),
                    bytes: jobs.diskBytes(number),
                    total: JobSet.diskTotal,
                    status: .transferring
                )
            },
            timestampMilliseconds: 1_760_099_999_000,
            attempt: isOld ? nil : 1,
            seq: isOld ? nil : jobs.seq(number)
        )
    }
}
