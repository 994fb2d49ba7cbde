import Testing

@testable import Writer

@Suite struct BeatTallyTests {
    @Test func `the first lane that stores a beat answers it, and no other does`() {
        let tally = BeatTally(laneCount: 3)
        #expect(tally.note(isStored: false) == nil)
        #expect(tally.note(isStored: true) == true)
        #expect(tally.note(isStored: true) == nil)
    }

    @Test func `that none stores it is known with the last`() {
        let tally = BeatTally(laneCount: 2)
        #expect(tally.note(isStored: false) == nil)
        #expect(tally.note(isStored: false) == false)
    }
}
