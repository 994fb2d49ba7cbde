/// A sign of life of an ingest: it went in by the ingest's own door and goes through every lane of a writer, behind
/// all messages that came before it. A lane that stores it shows that what came before is stored, too.
public struct Beat: Equatable, Sendable {
    /// Unique within one run of one ingest, as an envelope's.
    public var messageID: UInt64
    /// Milliseconds that it waited since it was received at the door.
    public var ageMilliseconds: UInt32
    /// The ingest's configured name, the same after a restart.
    public var ingest: String
    /// Since the last beat that was stored there were messages that nobody could store.
    public var isInterrupted: Bool
    /// The ingest ends in order: its silence from here on is no interruption.
    public var signsOff: Bool

    /// Creates a beat from its parts.
    public init(
        messageID: UInt64,
        ageMilliseconds: UInt32,
        ingest: String,
        isInterrupted: Bool = false,
        signsOff: Bool = false
    ) {
        self.messageID = messageID
        self.ageMilliseconds = ageMilliseconds
        self.ingest = ingest
        self.isInterrupted = isInterrupted
        self.signsOff = signsOff
    }

    init(_ wire: WireBeat) {
        self.init(
            messageID: wire.messageID,
            ageMilliseconds: wire.ageMs,
            ingest: wire.ingest,
            isInterrupted: wire.interrupted,
            signsOff: wire.signsOff
        )
    }
}

extension WireBeat {
    init(_ beat: Beat) {
        self.init()
        messageID = beat.messageID
        ageMs = beat.ageMilliseconds
        ingest = beat.ingest
        interrupted = beat.isInterrupted
        signsOff = beat.signsOff
    }
}
