import Database
import JobModel
import TestSupport
import Testing

/// Beats in the table, against what `PathBeat` says of them.
@Suite struct PathStoreTests {
    private static let gap: Int64 = 15_000

    private func withStore(_ body: @escaping @Sendable (PathStore, Connection) throws -> Void) throws {
        let settings = try PrivateMariaDB.shared(timeZone: "-03:00").createDatabase()
        try ThreadRun {
            try DatabaseLibrary.withThread { () throws in
                try Migrator(settings, owner: "test").run()
                let connection = try Connection.open(settings)
                try body(PathStore(connection), connection)
            }
        }.value()
    }

    private static func beat(age: Int64 = 0, isInterrupted: Bool = false) -> PathStore.NewBeat {
        PathStore.NewBeat(ingest: "a", ageMilliseconds: age, isInterrupted: isInterrupted)
    }

    @Test(arguments: UInt64(0)..<8)
    func `SQL makes of a beat what the model makes of it`(seed: UInt64) throws {
        try withStore { store, connection in
            var generator = SplitMix64(seed: seed)
            try store.store([Self.beat()], writer: "w", lane: 0, gapMilliseconds: Self.gap)
            for step in 0..<40 {
                // The server's clock is held, so that both sides know the same now.
                let before = try #require(try store.read().beats.first)
                let shift =
                    [0, 1, 200, 999, 1000, 1001, 14_999, 15_000, 15_001, 3_600_000]
                    .randomElement(using: &generator) ?? 0
                let isBack = Bool.random(using: &generator)
                let now = before.beatMilliseconds + Int64(isBack ? -shift : shift)
                try connection.execute(
                    "SET TIMESTAMP = \(now / 1000).\(String(1000 + now % 1000).dropFirst())"
                )
                #expect(try store.read().nowMilliseconds == now)
                if Int.random(in: 0..<6, using: &generator) == 0 {
                    try store.signOff(writer: "w", lane: 0)
                }
                var expected = try #require(try store.read().beats.first)
                let age = [0, 5, 250, 20_000].randomElement(using: &generator) ?? 0
                let isInterrupted = Int.random(in: 0..<5, using: &generator) == 0
                expected.take(
                    ageMilliseconds: Int64(age),
                    isInterrupted: isInterrupted,
                    gapMilliseconds: Self.gap,
                    nowMilliseconds: now
                )
                try store.store(
                    [Self.beat(age: Int64(age), isInterrupted: isInterrupted)],
                    writer: "w",
                    lane: 0,
                    gapMilliseconds: Self.gap
                )
                #expect(try store.read().beats == [expected], "seed \(seed), step \(step)")
            }
        }
    }

    @Test func `lanes and ingests have rows of their own, and signing off is of one writer`() throws {
        try withStore { store, _ in
            for (writer, lane) in [("w", Int32(0)), ("w", 1), ("x", 0)] {
                try store.store(
                    [
                        Self.beat(),
                        PathStore.NewBeat(
                            ingest: "b",
                            ageMilliseconds: 7,
                            isInterrupted: false,
                            signsOff: true
                        ),
                    ],
                    writer: writer,
                    lane: lane,
                    gapMilliseconds: Self.gap
                )
            }
            #expect(try store.read().beats.count == 6)
            #expect(try store.read().beats.filter(\.isOff).map(\.ingest) == ["b", "b", "b"])
            try store.signOff(writer: "w", lanesFrom: 1)
            let off = try store.read().beats.filter { $0.isOff && $0.ingest == "a" }
            #expect(off.map(\.writer) == ["w"] && off.map(\.lane) == [1])
            #expect(off.allSatisfy { !$0.isWriterOff }, "that lane does not come back")
            try store.signOff(writer: "w", lane: 0)
            let writerOff = try store.read().beats.filter(\.isWriterOff)
            #expect(writerOff.map(\.ingest) == ["a"] && writerOff.map(\.lane) == [0], "b has done so itself")
            #expect(writerOff.allSatisfy { $0.isOff })
        }
    }

    @Test func `an empty table has a now all the same`() throws {
        try withStore { store, _ in
            let (beats, now) = try store.read()
            #expect(beats.isEmpty && now > 1_700_000_000_000)
        }
    }
}
