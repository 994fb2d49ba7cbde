import Testing

@testable import SBC

struct PacingTests {
    @Test func `nothing is due before the first message, then every interval`() {
        var cadence = Cadence(intervalMilliseconds: 5000)
        #expect(cadence.due(percent: 50, nowMilliseconds: 99_000) == nil)
        cadence.noteMessage(percent: 0, nowMilliseconds: 1000)
        #expect(cadence.due(percent: 3, nowMilliseconds: 5999) == nil)
        #expect(cadence.due(percent: 3, nowMilliseconds: 6000) == .interval)
        cadence.noteMessage(percent: 3, nowMilliseconds: 6000)
        #expect(cadence.due(percent: 3, nowMilliseconds: 10_999) == nil)
    }

    @Test func `with a seed an interval is up to a tenth shorter, each by its own chance`() {
        var cadence = Cadence(intervalMilliseconds: 5000, seed: 7)
        var waits: Set<Int64> = []
        for start in stride(from: Int64(0), to: 200_000, by: 10_000) {
            cadence.noteMessage(percent: 0, nowMilliseconds: start)
            let wait = (0...5000).first { cadence.due(percent: 0, nowMilliseconds: start + $0) != nil }
            waits.insert(Int64(wait ?? -1))
        }
        #expect(waits.allSatisfy { (4500...5000).contains($0) } && waits.count > 10, "\(waits)")
    }

    @Test func `each tenth is due once, also when several pass at once`() {
        var cadence = Cadence(intervalMilliseconds: 5000)
        cadence.noteMessage(percent: 0, nowMilliseconds: 0)
        #expect(cadence.due(percent: 9.99, nowMilliseconds: 10) == nil)
        #expect(cadence.due(percent: 10, nowMilliseconds: 10) == .tenth)
        cadence.noteMessage(percent: 47, nowMilliseconds: 10)
        #expect(cadence.due(percent: 49.9, nowMilliseconds: 20) == nil)
        #expect(cadence.due(percent: 50, nowMilliseconds: 20) == .tenth)
    }

    @Test func `a message in between puts the interval off`() {
        var cadence = Cadence(intervalMilliseconds: 5000)
        cadence.noteMessage(percent: 0, nowMilliseconds: 0)
        cadence.noteMessage(percent: 1, nowMilliseconds: 4000)
        #expect(cadence.due(percent: 1, nowMilliseconds: 8999) == nil)
        #expect(cadence.due(percent: 1, nowMilliseconds: 9000) == .interval)
    }

    @Test func `speed is unknown at first, then that of the window, and 0 in a stall`() {
        var window = SpeedWindow()
        #expect(window.bytesPerSecond == nil)
        window.add(moved: 0, nowMilliseconds: 0)
        window.add(moved: 100, nowMilliseconds: 499)
        #expect(window.bytesPerSecond == nil)
        for second in 1...20 {
            window.add(moved: Int64(second) * 1000, nowMilliseconds: Int64(second) * 1000)
        }
        #expect(window.bytesPerSecond == 1000)
        // Twice as fast: after a whole window nothing of the old pace is left.
        for second in 21...31 {
            window.add(moved: 20_000 + Int64(second - 20) * 2000, nowMilliseconds: Int64(second) * 1000)
        }
        #expect(window.bytesPerSecond == 2000)
        window.add(moved: 42_000, nowMilliseconds: 41_000)
        window.add(moved: 42_000, nowMilliseconds: 42_000)
        #expect(window.bytesPerSecond == 0)
    }

    @Test func `the ETA comes from the data to go, and is unknown without a speed`() {
        var window = SpeedWindow()
        #expect(window.etaSeconds(dataToGo: 100) == nil)
        #expect(window.etaSeconds(dataToGo: 0) == 0)
        window.add(moved: 0, nowMilliseconds: 0)
        window.add(moved: 1000, nowMilliseconds: 1000)
        #expect(window.etaSeconds(dataToGo: 1001) == 2)
        #expect(window.etaSeconds(dataToGo: nil) == nil)
        window.reset()
        window.add(moved: 1000, nowMilliseconds: 2000)
        window.add(moved: 1000, nowMilliseconds: 4000)
        #expect(window.etaSeconds(dataToGo: 1001) == nil)
    }

    @Test func `data to go leaves out holes and ended disks, and is unknown while a disk's is`() {
        var job = progress(.transferring, 100, 40)
        #expect(job.dataToGo == 30)
        job.disks[1].data = nil
        #expect(job.dataToGo == nil)
        #expect(progress(.transferring, 100, 40).percent == 70)
    }

    @Test(arguments: UInt64(0)..<64)
    func `backoff grows to its limit, jittered, and obeys Retry-After`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var backoff = Backoff()
        var ceiling: Int64 = 250
        for _ in 0..<12 {
            let delay = backoff.next(retryAfterSeconds: nil, using: &generator)
            #expect((ceiling / 2...ceiling).contains(delay))
            ceiling = min(5000, ceiling * 2)
        }
        #expect(backoff.next(retryAfterSeconds: 7, using: &generator) == 7000)
        #expect(backoff.next(retryAfterSeconds: 100_000, using: &generator) == 60_000)
        #expect(backoff.next(retryAfterSeconds: -5, using: &generator) <= 5000)
        backoff.reset()
        #expect(backoff.next(retryAfterSeconds: nil, using: &generator) <= 250)
    }

    @Test func `a bucket gives its rate over time, and no more than its burst at once`() {
        var bucket = TokenBucket(bytesPerSecond: 1000)
        var now: Int64 = 5_000_000_000
        var taken = 0
        while now < 15_000_000_000, taken < 100_000 {
            now += bucket.take(10, nowNanoseconds: now)
            taken += 10
        }
        #expect((9990...10_120).contains(taken))
        // After a long pause, one tenth of a second's worth passes at once.
        #expect(bucket.take(100, nowNanoseconds: now + 60_000_000_000) == 0)
        #expect(bucket.take(100, nowNanoseconds: now + 60_000_000_000) == 100_000_000)
    }
}
