import JobModel
import TestSupport
import Testing

@testable import Ingest

/// First in, first out by job.
@Suite struct OutboxOrderTests {
    private static func progress(_ job: Int, bytes: Int64) -> JobMessage {
        .report(
            Report(
                jobID: JobID.known("job-\(job)"),
                status: .running,
                phase: "transferring",
                bytes: bytes,
                total: 1_000_000,
                timestampMilliseconds: bytes
            )
        )
    }

    private static func completion(_ job: Int, disk: Int32) -> JobMessage {
        .completion(
            DiskCompletion(jobID: JobID.known("job-\(job)"), diskIndex: disk, changeID: "c", bytes: 0)
        )
    }

    private static func number(_ job: JobID) -> Int { Int(job.rawValue.dropFirst("job-".count)) ?? -1 }

    @Test func `progress takes the place of progress, and waits behind a transition`() {
        var order = OutboxOrder()
        order.stored(Self.progress(1, bytes: 10), id: 1, sinceMilliseconds: 0)
        #expect(order.decision(Self.progress(1, bytes: 20)) == .replace(1))
        order.stored(Self.progress(1, bytes: 20), id: 1, sinceMilliseconds: 0)
        #expect(order.entryCount == 1)
        #expect(order.decision(Self.progress(2, bytes: 20)) == .append)
        order.stored(Self.completion(1, disk: 0), id: 2, sinceMilliseconds: 0)
        #expect(order.decision(Self.progress(1, bytes: 30)) == .append)
        order.stored(Self.progress(1, bytes: 30), id: 3, sinceMilliseconds: 0)
        #expect(order.decision(Self.progress(1, bytes: 40)) == .replace(3))
        #expect(order.entryCount == 3 && order.jobCount == 1)
    }

    @Test func `what is on its way is not replaced, and the next goes out after its verdict`() {
        var order = OutboxOrder()
        order.stored(Self.progress(1, bytes: 10), id: 1, sinceMilliseconds: 0)
        #expect(order.next(countMax: 9, nowMilliseconds: 0).map(\.id) == [1])
        #expect(order.decision(Self.progress(1, bytes: 20)) == .append)
        order.stored(Self.progress(1, bytes: 20), id: 2, sinceMilliseconds: 0)
        #expect(order.next(countMax: 9, nowMilliseconds: 0).isEmpty, "the first has no verdict yet")
        order.ended(JobID.known("job-1"), id: 1)
        #expect(order.next(countMax: 9, nowMilliseconds: 0).map(\.id) == [2])
        order.ended(JobID.known("job-1"), id: 2)
        #expect(order.entryCount == 0 && order.jobCount == 0 && !order.holds(JobID.known("job-1")))
    }

    @Test func `after a failure an entry comes again, with pauses that grow to two seconds`() {
        var order = OutboxOrder()
        order.stored(Self.progress(1, bytes: 10), id: 1, sinceMilliseconds: 7)
        var now: Int64 = 0
        var pauses: [Int64] = []
        for _ in 0..<7 {
            #expect(order.next(countMax: 1, nowMilliseconds: now).map(\.id) == [1])
            order.failed(JobID.known("job-1"), id: 1, isHeld: false, nowMilliseconds: now)
            #expect(order.backlogSinceMilliseconds == 7)
            let start = now
            while order.next(countMax: 1, nowMilliseconds: now).isEmpty { now += 50 }
            pauses.append(now - start)
            order.failed(JobID.known("job-1"), id: 1, isHeld: true, nowMilliseconds: now)
            #expect(order.backlogSinceMilliseconds == nil, "a held row is no fault of the way")
            now += 2000
        }
        #expect(pauses == [100, 400, 1600, 2000, 2000, 2000, 2000])
    }

    @Test func `every job's messages go out in the order in which they came, each until it has its verdict`()
    {
        for seed in UInt64(0)..<300 {
            var generator = SplitMix64(seed: seed)
            var order = OutboxOrder()
            var entries: [Int64: JobMessage] = [:]
            var told: [Int: [JobMessage]] = [:]
            var delivered: [Int: [JobMessage]] = [:]
            var underWay: [(job: JobID, id: Int64)] = []
            var nextID: Int64 = 1
            var clock: Int64 = 0
            for step in 0..<400 {
                clock += 50
                switch Int.random(in: 0..<(step < 250 ? 4 : 2), using: &generator) {
                case 2, 3:
                    let job = Int.random(in: 0..<5, using: &generator)
                    let message =
                        Int.random(in: 0..<4, using: &generator) == 0
                        ? Self.completion(job, disk: Int32(step)) : Self.progress(job, bytes: Int64(step + 1))
                    told[job, default: []].append(message)
                    switch order.decision(message) {
                    case .append:
                        entries[nextID] = message
                        order.stored(message, id: nextID, sinceMilliseconds: clock)
                        nextID += 1
                    case .replace(let id):
                        #expect(!underWay.contains { $0.id == id }, "seed \(seed)")
                        entries[id] = message
                        order.stored(message, id: id, sinceMilliseconds: clock)
                    }
                case 1:
                    underWay += order.next(countMax: 3, nowMilliseconds: clock)
                default:
                    guard !underWay.isEmpty else { continue }
                    let one = underWay.remove(at: Int.random(in: 0..<underWay.count, using: &generator))
                    if Int.random(in: 0..<3, using: &generator) == 0 {
                        order.failed(one.job, id: one.id, isHeld: false, nowMilliseconds: clock)
                    } else {
                        let number = Self.number(one.job)
                        delivered[number, default: []] += [entries[one.id]].compactMap(\.self)
                        order.ended(one.job, id: one.id)
                    }
                }
                #expect(order.underWayCount == underWay.count, "seed \(seed)")
            }
            for _ in 0..<10_000 where order.entryCount > 0 {
                clock += 5000
                for one in underWay {
                    order.failed(one.job, id: one.id, isHeld: false, nowMilliseconds: clock)
                }
                clock += 5000
                underWay = []
                for one in order.next(countMax: 9, nowMilliseconds: clock) {
                    let number = Self.number(one.job)
                    delivered[number, default: []] += [entries[one.id]].compactMap(\.self)
                    order.ended(one.job, id: one.id)
                }
            }
            for (job, messages) in told {
                // Left out is only progress with other progress right behind it.
                var rest = messages[...]
                for message in delivered[job] ?? [] {
                    while let first = rest.first, first != message {
                        #expect(
                            first.isProgress && rest.dropFirst().first?.isProgress == true,
                            "seed \(seed)"
                        )
                        rest = rest.dropFirst()
                    }
                    rest = rest.dropFirst()
                }
                #expect(rest.isEmpty, "seed \(seed), job \(job)")
            }
        }
    }
}
