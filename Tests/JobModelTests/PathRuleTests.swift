import JobModel
import Testing

/// What of a job's silence counts. Times are in milliseconds by the database's clock.
@Suite struct PathRuleTests {
    private static let now: Int64 = 10_000_000
    private static let rule = StaleRule(stalledAfterSeconds: 60, failedAfterSeconds: 300).map { PathRule($0) }

    private func beat(
        _ ingest: String = "a",
        writer: String = "w",
        lane: Int32 = 0,
        before: Int64 = 100,
        up: Int64 = 1_000_000,
        isOff: Bool = false,
        isWriterOff: Bool = false
    ) -> PathBeat {
        PathBeat(
            ingest: ingest,
            writer: writer,
            lane: lane,
            beatMilliseconds: Self.now - before,
            upSinceMilliseconds: Self.now - up,
            isOff: isOff || isWriterOff,
            isWriterOff: isWriterOff
        )
    }

    private func state(_ beats: PathBeat...) -> PathState {
        guard let rule = Self.rule else { preconditionFailure("60 s are less than 300 s") }
        return rule.state(of: beats, nowMilliseconds: Self.now)
    }

    @Test func `silence ends where the oldest lane has recorded, and begins where the way was whole`() {
        let state = state(beat(before: 100), beat(lane: 1, before: 700, up: 40_000))
        #expect(state.interruption == nil)
        #expect(state.silence(sinceContact: Self.now - 20_000, nowMilliseconds: Self.now) == 19_300)
        #expect(state.silence(sinceContact: Self.now - 500_000, nowMilliseconds: Self.now) == 39_300)
        #expect(state.longestSilence == 39_300)
        #expect(state.silence(sinceContact: Self.now, nowMilliseconds: Self.now) == 0)
    }

    @Test func `a lane that is silent for longer than the gap is an interruption that names it`() {
        #expect(state(beat(), beat(lane: 1, before: 15_000)).interruption == nil)
        let late = state(beat(), beat(lane: 1, before: 15_001))
        #expect(late.interruption == "nothing has come from ingest a through lane 1 of writer w for 15 s")
        #expect(late.silence(sinceContact: 0, nowMilliseconds: Self.now) == 0 && late.longestSilence == 0)
    }

    @Test func `one of two ingests that dies is an interruption, until it is forgotten`() {
        #expect(state(beat("a"), beat("b", before: 20_000)).interruption != nil)
        #expect(state(beat("a"), beat("b", before: 299_000)).interruption != nil)
        let forgotten = state(beat("a"), beat("b", before: 310_000))
        #expect(forgotten.interruption == nil)
        // Whoever could only reach that one gets the whole of the thresholds from then on.
        #expect(forgotten.silence(sinceContact: 0, nowMilliseconds: Self.now) == 10_000 - 100)
    }

    @Test func `a writer that lives keeps its silent lane on duty, however long`() {
        let state = state(beat(lane: 0), beat(lane: 1, before: 3_600_000))
        #expect(state.interruption?.contains("lane 1") == true)
    }

    @Test func `who signed off is no interruption, and nobody at all is one`() {
        #expect(state(beat("a"), beat("b", before: 100_000, isOff: true)).interruption == nil)
        #expect(state(beat("a", before: 100_000, isOff: true)).interruption != nil)
        #expect(state().interruption == "no ingest reaches the database through any writer")
        #expect(state(beat(before: 400_000)).interruption != nil, "all are forgotten")
    }

    @Test func `an ingest that does not come back after its writer's restart is an interruption`() {
        let isDown = state(beat("a", before: 20_000, isWriterOff: true), beat("b", writer: "x"))
        #expect(isDown.interruption == nil, "nothing is to come through a writer that ended in order")
        let isBack = state(
            beat("a", before: 20_000, isWriterOff: true),
            beat("b", before: 100),
            beat("a", writer: "x"),
            beat("b", writer: "x")
        )
        #expect(isBack.interruption?.contains("ingest a") == true)
        let signedOff = state(beat("a", before: 20_000, isOff: true), beat("b", before: 100))
        #expect(signedOff.interruption == nil, "it has said so itself")
        let forgotten = state(beat("a", before: 310_000, isWriterOff: true), beat("b", before: 100))
        #expect(forgotten.interruption == nil)
        #expect(forgotten.silence(sinceContact: 0, nowMilliseconds: Self.now) == 10_000 - 100)
    }

    @Test func `a clock set back counts from there, and says nothing until the way has shown itself again`() {
        // Before the first beat after the step all beats lie in the future.
        #expect(state(beat(before: -3_600_000, up: 0)).interruption != nil)
        // The live way has noted the step; a dead one of before has not.
        let stepped = state(beat(before: 100, up: 30_000), beat("b", before: -3_500_000, up: -3_400_000))
        #expect(stepped.upSinceMilliseconds == Self.now - 30_000)
        #expect(stepped.interruption != nil, "b has stopped without a word")
        let alone = state(beat(before: 100, up: 30_000))
        #expect(
            alone.silence(sinceContact: Self.now + 3_000_000, nowMilliseconds: Self.now) == 29_900,
            "a contact of before the step is as old as the step"
        )
    }

    @Test func `a dead way of before a step back is forgotten in the end`() {
        let state = state(
            beat(before: 100, up: 301_000),
            beat("b", before: -3_500_000, up: -3_400_000)
        )
        #expect(state.interruption == nil)
    }

    @Test func `the gap is 15 s, and at most half of what makes a job stalled`() {
        #expect(PathRule.gapMilliseconds(stalledAfterSeconds: 60) == 15_000)
        #expect(PathRule.gapMilliseconds(stalledAfterSeconds: 3) == 1500)
    }

    @Test func `a beat begins anew after a gap, a return, an interruption or a step back, and else goes on`()
    {
        func taken(before: Int64, isOff: Bool = false, isInterrupted: Bool = false) -> Bool {
            var beat = beat(before: before, isOff: isOff)
            beat.take(
                ageMilliseconds: 0,
                isInterrupted: isInterrupted,
                gapMilliseconds: 15_000,
                nowMilliseconds: Self.now
            )
            #expect(!beat.isOff && beat.beatMilliseconds >= Self.now)
            return beat.upSinceMilliseconds == Self.now
        }
        #expect(!taken(before: 15_000) && taken(before: 15_001))
        #expect(taken(before: 200, isOff: true) && taken(before: 200, isInterrupted: true))
        #expect(!taken(before: -1000), "jitter")
        var stepped = beat(before: -1001)
        stepped.take(
            ageMilliseconds: 0,
            isInterrupted: false,
            gapMilliseconds: 15_000,
            nowMilliseconds: Self.now
        )
        #expect(stepped.beatMilliseconds == Self.now && stepped.upSinceMilliseconds == Self.now)
    }
}
