import JobModel
import Testing

@Suite struct HistoryTests {
    @Test func `an attempt's first point and its last are always due`() {
        #expect(HistoryRule.isDue(sinceLastMilliseconds: nil, runMilliseconds: 0, isEnd: false))
        #expect(HistoryRule.isDue(sinceLastMilliseconds: 1, runMilliseconds: 5000, isEnd: true))
    }

    @Test(arguments: [(0, 10_000), (999_999, 10_000), (3_600_000, 36_000), (-5, 10_000)] as [(Int64, Int64)])
    func `points are ten seconds apart, or a hundredth of the run`(run: Int64, pause: Int64) {
        #expect(!HistoryRule.isDue(sinceLastMilliseconds: pause - 1, runMilliseconds: run, isEnd: false))
        #expect(HistoryRule.isDue(sinceLastMilliseconds: pause, runMilliseconds: run, isEnd: false))
    }

    @Test func `a clock that was set back does not stop the history`() {
        #expect(HistoryRule.isDue(sinceLastMilliseconds: -1, runMilliseconds: 5000, isEnd: false))
    }

    @Test(arguments: [(60, 13), (3600, 240), (86_400, 560), (2_592_000, 900)] as [(Int64, Int)])
    func `a run of any length leaves a bounded number of points`(seconds: Int64, countMax: Int) {
        var last: Int64?
        var count = 0
        for now in stride(from: 0, through: seconds * 1000, by: 5000) {
            let since = last.map { now - $0 }
            guard HistoryRule.isDue(sinceLastMilliseconds: since, runMilliseconds: now, isEnd: false) else {
                continue
            }
            last = now
            count += 1
        }
        #expect(count <= countMax && count >= countMax / 2, "\(count)")
    }
}
