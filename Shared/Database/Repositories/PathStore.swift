public import JobModel

/// The signs of life that came through the lanes: what shows that silence is the clients' own.
public struct PathStore {
    /// One ingest's newest beat in a lane, on its way into the table.
    public struct NewBeat: Equatable, Sendable {
        /// The ingest's configured name.
        public var ingest: String
        /// Milliseconds since the ingest's door received it.
        public var ageMilliseconds: Int64
        /// Before it there were messages that nobody could store, or ingest or writer are new.
        public var isInterrupted: Bool
        /// The ingest ends in order.
        public var signsOff: Bool

        /// Creates a beat from its parts.
        public init(ingest: String, ageMilliseconds: Int64, isInterrupted: Bool, signsOff: Bool = false) {
            self.ingest = ingest
            self.ageMilliseconds = ageMilliseconds
            self.isInterrupted = isInterrupted
            self.signsOff = signsOff
        }
    }

    private let connection: Connection

    /// The beats behind a connection.
    public init(_ connection: Connection) {
        self.connection = connection
    }

    /// Stores beats as `PathBeat.take` describes; a first one begins at now.
    ///
    /// - Parameters:
    ///   - beats: each ingest once.
    ///   - writer: the writer's configured name.
    ///   - lane: the lane's number in it.
    ///   - gapMilliseconds: the longest time between two beats that is no interruption.
    /// - Throws: `DatabaseError`.
    public func store(
        _ beats: [NewBeat],
        writer: String,
        lane: Int32,
        gapMilliseconds: Int64
    ) throws(DatabaseError) {
        let told = "(\(ServerClock.milliseconds) - ?)"
        // MariaDB assigns from left to right: `up_since_ms` is judged by the old `beat_ms` and `is_off`.
        try connection.prepare(
            """
            INSERT INTO path_beats (ingest, writer, lane, beat_ms, up_since_ms, is_off)
            VALUES (?, ?, ?, \(told), \(ServerClock.milliseconds), ?)
            ON DUPLICATE KEY UPDATE
              up_since_ms = IF(is_off <> 0 OR ? = 1 OR VALUES(beat_ms) - beat_ms > ?
                OR VALUES(beat_ms) < beat_ms - \(PathBeat.stepMilliseconds), VALUES(up_since_ms), up_since_ms),
              beat_ms = IF(VALUES(beat_ms) < beat_ms - \(PathBeat.stepMilliseconds), VALUES(beat_ms),
                GREATEST(VALUES(beat_ms), beat_ms)),
              is_off = VALUES(is_off)
            """
        ).executeBulk(
            [
                .texts(beats.map(\.ingest)), .texts(beats.map { _ in writer }),
                .ints(beats.map { _ in Int64(lane) }), .ints(beats.map(\.ageMilliseconds)),
                .ints(beats.map { $0.signsOff ? 1 : 0 }), .ints(beats.map { $0.isInterrupted ? 1 : 0 }),
                .ints(beats.map { _ in gapMilliseconds }),
            ],
            rowCount: beats.count
        )
    }

    /// A lane ends in order: its silence from here on is no interruption, until it is back.
    ///
    /// - Throws: `DatabaseError`.
    public func signOff(writer: String, lane: Int32) throws(DatabaseError) {
        // An ingest that has signed off itself stays so.
        try connection.prepare(
            "UPDATE path_beats SET is_off = 2 WHERE writer = ? AND lane = ? AND is_off = 0"
        )
        .execute([.text(writer), .int(Int64(lane))])
    }

    /// Signs off the lanes that a writer has no more.
    ///
    /// - Throws: `DatabaseError`.
    public func signOff(writer: String, lanesFrom laneCount: Int32) throws(DatabaseError) {
        try connection.prepare("UPDATE path_beats SET is_off = 1 WHERE writer = ? AND lane >= ?")
            .execute([.text(writer), .int(Int64(laneCount))])
    }

    /// All beats, and now by the same clock.
    ///
    /// - Throws: `DatabaseError`.
    public func read() throws(DatabaseError) -> (beats: [PathBeat], nowMilliseconds: Int64) {
        var beats: [PathBeat] = []
        var now: Int64 = 0
        let rows = try connection.prepare(
            """
            SELECT clock.now_ms, ingest, writer, lane, beat_ms, up_since_ms, is_off
            FROM (SELECT \(ServerClock.milliseconds) AS now_ms) AS clock LEFT JOIN path_beats ON TRUE
            """
        ).query([])
        for row in rows {
            now = try row.int(0)
            guard let ingest = try row.optionalText(1) else { continue }
            beats.append(
                PathBeat(
                    ingest: ingest,
                    writer: try row.text(2),
                    lane: Int32(clamping: try row.int(3)),
                    beatMilliseconds: try row.int(4),
                    upSinceMilliseconds: try row.int(5),
                    isOff: try row.int(6) != 0,
                    isWriterOff: try row.int(6) == 2
                )
            )
        }
        return (beats, now)
    }
}
