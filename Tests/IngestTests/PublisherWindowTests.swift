import TestSupport
import Testing

@testable import Ingest

@Suite struct PublisherWindowTests {
    private func window() -> PublisherWindow<Int> {
        PublisherWindow(timeoutMilliseconds: 2000, nowMilliseconds: 0)
    }

    private static func next(_ window: PublisherWindow<Int>, countMax: Int) -> [(id: UInt64, ticket: Int)] {
        var next: [(id: UInt64, ticket: Int)] = []
        window.forEachNext(countMax: countMax) { next.append(($0, $1)) }
        return next
    }

    @Test func `a message is queued until it is sent, and out until its verdict comes`() {
        var window = window()
        window.enqueue(10, receivedMilliseconds: 0)
        window.enqueue(11, receivedMilliseconds: 1)
        let batch = Self.next(window, countMax: 1)
        #expect(batch.map(\.ticket) == [10])
        window.sent(count: 1, nowMilliseconds: 2)
        #expect(window.inFlightCount == 1 && window.count == 2)
        #expect(window.resolve(batch[0].id, nowMilliseconds: 3) == 10)
        #expect(window.resolve(batch[0].id, nowMilliseconds: 3) == nil, "a second verdict finds nobody")
        #expect(window.count == 1)
    }

    @Test func `what has waited too long is given up, sent or not`() {
        var window = window()
        window.enqueue(1, receivedMilliseconds: 0)
        window.sent(count: 1, nowMilliseconds: 0)
        window.enqueue(2, receivedMilliseconds: 500)
        window.enqueue(3, receivedMilliseconds: 1500)
        #expect(window.expire(nowMilliseconds: 1999) == [])
        #expect(window.expire(nowMilliseconds: 2500).sorted() == [1, 2])
        #expect(window.count == 1)
    }

    @Test func `what is given up together is given up in the order in which it came`() {
        var window = window()
        for ticket in 0..<20 { window.enqueue(ticket, receivedMilliseconds: Int64(ticket)) }
        window.sent(count: 15, nowMilliseconds: 20)
        #expect(window.expire(nowMilliseconds: 3000) == Array(0..<20))
    }

    @Test func `the connection is given up only when no verdict at all comes`() {
        var window = window()
        #expect(!window.isSilent(nowMilliseconds: 100_000), "nothing is out")
        window.enqueue(1, receivedMilliseconds: 100_000)
        window.enqueue(2, receivedMilliseconds: 100_000)
        let ids = Self.next(window, countMax: 2).map(\.id)
        window.sent(count: 2, nowMilliseconds: 100_000)
        #expect(!window.isSilent(nowMilliseconds: 101_999))
        _ = window.resolve(ids[0], nowMilliseconds: 101_000)
        #expect(!window.isSilent(nowMilliseconds: 102_999))
        #expect(window.isSilent(nowMilliseconds: 103_000))
        #expect(window.abandonInFlight(nowMilliseconds: 103_000) == [2])
        #expect(window.count == 0)
    }

    @Test func `a lone message that nobody answers shows the silence before it is given up`() {
        var window = window()
        window.enqueue(1, receivedMilliseconds: 0)
        window.sent(count: 1, nowMilliseconds: 0)
        #expect(window.isSilent(nowMilliseconds: 2000))
        #expect(window.abandonInFlight(nowMilliseconds: 2000) == [1])
    }

    @Test(arguments: UInt64(0)..<500)
    func `every message is answered exactly once`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var window = window()
        var now: Int64 = 0
        var next = 0
        var answered: [Int] = []
        var out: [UInt64] = []
        for _ in 0..<300 {
            now += Int64.random(in: 0...300, using: &generator)
            switch Int.random(in: 0...5, using: &generator) {
            case 0, 1:
                window.enqueue(next, receivedMilliseconds: now)
                next += 1
            case 2:
                let batch = Self.next(window, countMax: Int.random(in: 1...4, using: &generator))
                window.sent(count: batch.count, nowMilliseconds: now)
                out += batch.map(\.id)
            case 3:
                // Verdicts come in any order, and some twice.
                if let id = out.randomElement(using: &generator),
                    let ticket = window.resolve(id, nowMilliseconds: now)
                {
                    answered.append(ticket)
                }
            case 4:
                answered += window.expire(nowMilliseconds: now)
            default:
                if window.isSilent(nowMilliseconds: now) {
                    answered += window.abandonInFlight(nowMilliseconds: now)
                }
            }
            #expect(window.count == next - answered.count, "seed \(seed)")
        }
        answered += window.abandonInFlight(nowMilliseconds: now)
        answered += window.expire(nowMilliseconds: .max)
        #expect(answered.sorted() == Array(0..<next), "seed \(seed)")
    }
}
