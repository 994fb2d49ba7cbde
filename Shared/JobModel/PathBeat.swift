/// The newest sign of life of one ingest through one lane of a writer, as the database keeps it.
///
/// A lane stores an ingest's beat behind all messages that came to it from there before. So a stored beat says: what
/// this ingest's door took before that moment for this lane is in the tables, or its client was told otherwise.
public struct PathBeat: Equatable, Sendable {
    /// The ingest's configured name.
    public var ingest: String
    /// The writer's configured name.
    public var writer: String
    /// The lane's number in its writer.
    public var lane: Int32
    /// When the newest beat was received at the ingest's door: UTC milliseconds by the database's clock.
    public var beatMilliseconds: Int64
    /// Since when the way has been whole: UTC milliseconds by the database's clock.
    public var upSinceMilliseconds: Int64
    /// Ingest or writer has ended in order.
    public var isOff: Bool
    /// It was the writer: once its lane is back, the ingest is to be heard through it again.
    public var isWriterOff: Bool

    /// Creates a beat from its parts.
    public init(
        ingest: String,
        writer: String,
        lane: Int32,
        beatMilliseconds: Int64,
        upSinceMilliseconds: Int64,
        isOff: Bool = false,
        isWriterOff: Bool = false
    ) {
        self.ingest = ingest
        self.writer = writer
        self.lane = lane
        self.beatMilliseconds = beatMilliseconds
        self.upSinceMilliseconds = upSinceMilliseconds
        self.isOff = isOff
        self.isWriterOff = isWriterOff
    }

    /// A step of the database's clock backwards by less than this is no step: beats jitter.
    public static let stepMilliseconds: Int64 = 1000

    /// What becomes of a stored beat when the next one is stored. `PathStore` does the same in SQL.
    ///
    /// - Parameters:
    ///   - ageMilliseconds: since the new beat was received at the door.
    ///   - isInterrupted: before it there were messages that nobody could store.
    ///   - gapMilliseconds: the longest time between two beats that is no interruption.
    ///   - nowMilliseconds: now, by the database's clock.
    public mutating func take(
        ageMilliseconds: Int64,
        isInterrupted: Bool,
        gapMilliseconds: Int64,
        nowMilliseconds: Int64
    ) {
        let told = nowMilliseconds - ageMilliseconds
        let isStep = told < beatMilliseconds - Self.stepMilliseconds
        if isOff || isInterrupted || told - beatMilliseconds > gapMilliseconds || isStep {
            upSinceMilliseconds = nowMilliseconds
        }
        beatMilliseconds = isStep ? told : max(told, beatMilliseconds)
        (isOff, isWriterOff) = (false, false)
    }
}
