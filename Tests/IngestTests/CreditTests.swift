import JobModel
import TestSupport
import Testing

@testable import Ingest

/// When an ingest has to say that clients went unheard.
@Suite struct CreditTests {
    private static func job(_ number: Int) -> JobID { JobID.known("job-\(number)") }

    @Test func `refusals here and there are no interruption, one job refused for the gap is`() {
        var refused = RefusedJobs(gapMilliseconds: 1000)
        for (number, time) in [0, 400, 800, 1200].enumerated() {
            refused.refuse(Self.job(number), nowMilliseconds: Int64(time))
        }
        #expect(!refused.isInterruption(nowMilliseconds: 1300))
        for time in [0, 500, 999] as [Int64] { refused.refuse(Self.job(9), nowMilliseconds: time) }
        #expect(!refused.isInterruption(nowMilliseconds: 999))
        refused.refuse(Self.job(9), nowMilliseconds: 1000)
        #expect(refused.isInterruption(nowMilliseconds: 1000))
        #expect(refused.isInterruption(nowMilliseconds: 2000))
        #expect(!refused.isInterruption(nowMilliseconds: 2001), "its client is silent since")
    }

    @Test func `a message that is stored ends it, and a pause begins anew`() {
        var refused = RefusedJobs(gapMilliseconds: 1000)
        for time in [0, 900, 1800] as [Int64] { refused.refuse(Self.job(1), nowMilliseconds: time) }
        #expect(refused.isInterruption(nowMilliseconds: 1800))
        refused.accept(Self.job(1))
        #expect(!refused.isInterruption(nowMilliseconds: 1800) && refused.isEmpty)
        for time in [2000, 3500] as [Int64] { refused.refuse(Self.job(1), nowMilliseconds: time) }
        #expect(!refused.isInterruption(nowMilliseconds: 3500))
    }

    @Test func `clients turned away at the door count, and what is old is forgotten`() {
        var refused = RefusedJobs(gapMilliseconds: 1000)
        for time in [0, 600, 1200] as [Int64] { refused.refuse(nil, nowMilliseconds: time) }
        #expect(refused.isInterruption(nowMilliseconds: 1300))
        refused.refuse(Self.job(1), nowMilliseconds: 1300)
        refused.forget(nowMilliseconds: 5000)
        #expect(refused.isEmpty && !refused.isInterruption(nowMilliseconds: 5000))
    }

    /// The links look every 50 ms; a look through a whole fleet at each would keep the door waiting.
    @Test func `what is old is looked for once a second`() {
        var refused = RefusedJobs(gapMilliseconds: 1000)
        refused.forget(nowMilliseconds: 5000)
        refused.refuse(Self.job(1), nowMilliseconds: 4000)
        refused.forget(nowMilliseconds: 5999)
        #expect(!refused.isEmpty)
        refused.forget(nowMilliseconds: 6000)
        #expect(refused.isEmpty)
    }

    @Test func `credit is asked for until a beat that asks for it is stored`() {
        var credit = LinkCredit()
        #expect(credit.isDemanded, "the first beat of a run")
        credit.sent(1)
        credit.sent(2)
        credit.stored(7)
        #expect(credit.isDemanded)
        credit.stored(2)
        #expect(!credit.isDemanded)
        credit.sent(3)
        credit.demand()
        credit.stored(3)
        #expect(credit.isDemanded, "that one was sent before")
        credit.sent(4)
        credit.stored(4)
        #expect(!credit.isDemanded)
    }

    @Test func `credit remembers no more for all the beats that a writer leaves unstored`() {
        #expect(MemoryLayout<LinkCredit>.size <= 32 && _isPOD(LinkCredit.self), "nothing in it can grow")
        for stored in [10, 5000, 100_000] as [UInt64] {
            var credit = LinkCredit()
            for id in 10...100_000 as ClosedRange<UInt64> { credit.sent(id) }
            credit.stored(9)
            credit.stored(100_001)
            #expect(credit.isDemanded, "these were not sent since")
            credit.stored(stored)
            #expect(!credit.isDemanded, "\(stored)")
        }
    }

    @Test func `congestion is a queue that never empties, not a burst and not one stuck lane`() {
        var congestion = Congestion(timeoutMilliseconds: 2000, nowMilliseconds: 0)
        for wait in [1900, 20, 1900] as [Int64] {
            congestion.note(waitMilliseconds: wait, nowMilliseconds: 100)
        }
        congestion.turn(nowMilliseconds: 260, isAnyOut: true)
        #expect(congestion.level == .none)
        for wait in [600, 500, 1900] as [Int64] {
            congestion.note(waitMilliseconds: wait, nowMilliseconds: 300)
        }
        congestion.turn(nowMilliseconds: 520, isAnyOut: true)
        #expect(congestion.level == .progress)
        congestion.note(waitMilliseconds: 1500, nowMilliseconds: 600)
        congestion.turn(nowMilliseconds: 780, isAnyOut: true)
        #expect(congestion.level == .everything)
        congestion.turn(nowMilliseconds: 1100, isAnyOut: true)
        #expect(congestion.level == .everything, "a commit takes longer than a slot")
        congestion.turn(nowMilliseconds: 1400, isAnyOut: false)
        #expect(congestion.level == .none, "nothing waits")
    }
}
