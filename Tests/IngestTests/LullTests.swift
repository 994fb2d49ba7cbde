import Testing

@testable import Ingest

/// When the door may let requests gather.
@Suite struct LullTests {
    @Test func `few requests are few, whatever the time between them`() {
        var lull = Lull()
        #expect(lull.isQuiet(nowMilliseconds: 5))
        for time in stride(from: 1000 as Int64, to: 3000, by: 5) {
            lull.requestCame(nowMilliseconds: time)
            #expect(lull.isQuiet(nowMilliseconds: time))
        }
    }

    @Test func `many are many, in one window or across two, and are forgotten after a pause`() {
        let window = Lull.windowMilliseconds
        var lull = Lull()
        for _ in 1..<Lull.requestCountMax { lull.requestCame(nowMilliseconds: 10 * window) }
        #expect(lull.isQuiet(nowMilliseconds: 10 * window))
        lull.requestCame(nowMilliseconds: 11 * window)
        #expect(!lull.isQuiet(nowMilliseconds: 12 * window - 1))
        #expect(lull.isQuiet(nowMilliseconds: 12 * window))
        for _ in 0..<Lull.requestCountMax { lull.requestCame(nowMilliseconds: 12 * window) }
        #expect(!lull.isQuiet(nowMilliseconds: 13 * window))
        #expect(lull.isQuiet(nowMilliseconds: 14 * window))
    }

    @Test func `two requests a millisecond are many`() {
        var lull = Lull()
        for time in 0..<200 as Range<Int64> {
            lull.requestCame(nowMilliseconds: time)
            lull.requestCame(nowMilliseconds: time)
        }
        for time in 200..<456 as Range<Int64> {
            #expect(!lull.isQuiet(nowMilliseconds: time))
            lull.requestCame(nowMilliseconds: time)
        }
    }
}
