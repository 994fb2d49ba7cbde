internal import FoundationEssentials
public import JobModel
internal import SwiftProtobuf

/// One message on its way from the door to a writer.
public struct Envelope: Equatable, Sendable {
    /// Unique within one run of one ingest.
    public var messageID: UInt64
    /// Milliseconds that it waited since it was received at the door.
    public var ageMilliseconds: UInt32
    /// What the client told.
    public var message: JobMessage

    /// Creates an envelope from its parts.
    public init(messageID: UInt64, ageMilliseconds: UInt32, message: JobMessage) {
        self.messageID = messageID
        self.ageMilliseconds = ageMilliseconds
        self.message = message
    }
}

/// What goes from ingest to writer as one ZeroMQ message.
public struct EnvelopeBatch: Equatable, Sendable {
    /// The run of the ingest that sends it: 16 random bytes.
    public var sender: [UInt8]
    /// The messages, in the order in which the door received them.
    public var envelopes: [Envelope]
    /// Signs of life of the ingest, newer than all of the messages.
    public var beats: [Beat] = []
    /// Ids of messages that were in the batch and made no sense to this build, with the reason.
    public var refused: [Refused] = []

    /// A message that made no sense.
    public struct Refused: Equatable, Sendable {
        /// The message's id.
        public var messageID: UInt64
        /// What made no sense.
        public var reason: String
    }

    /// Creates a batch from its parts.
    public init(sender: [UInt8], envelopes: [Envelope], beats: [Beat] = []) {
        self.sender = sender
        self.envelopes = envelopes
        self.beats = beats
    }

    /// The bytes for the wire.
    public func encoded() throws(WireError) -> [UInt8] {
        var frame: [UInt8] = []
        try encode(into: &frame)
        return frame
    }

    /// Writes the bytes for the wire over what is there, whose memory they take.
    public func encode(into frame: inout [UInt8]) throws(WireError) {
        try EnvelopeEncoder.encode(self, into: &frame)
    }

    /// Reads a batch off the wire. One message that makes no sense does not spoil the others: see `refused`.
    public init(decoding frame: [UInt8]) throws(WireError) {
        let body = try Frame.body(of: frame, kind: .envelopes)
        var reader = ReportReader(frame, from: body.lowerBound)
        if let batch = reader.batch() {
            self.init(sender: batch.sender, envelopes: batch.envelopes)
        } else {
            try self.init(generated: frame)
        }
    }

    /// As the generated code reads it.
    init(generated frame: [UInt8]) throws(WireError) {
        let batch: WireEnvelopes = try decode(Frame.unwrap(frame, kind: .envelopes))
        sender = Array(batch.sender)
        beats = batch.beats.map { Beat($0) }
        envelopes = []
        envelopes.reserveCapacity(batch.envelopes.count)
        for envelope in batch.envelopes {
            if let message = JobMessage(envelope) {
                envelopes.append(
                    Envelope(
                        messageID: envelope.messageID,
                        ageMilliseconds: envelope.ageMs,
                        message: message
                    )
                )
            } else {
                refused.append(
                    Refused(
                        messageID: envelope.messageID,
                        reason: "the writer does not know this kind of message, or its job id or status"
                    )
                )
            }
        }
    }
}

/// One answer on its way back from a writer.
public struct AnswerEnvelope: Equatable, Sendable {
    /// The id of the message that it answers.
    public var messageID: UInt64
    /// What became of the message.
    public var answer: Answer

    /// Creates an answer envelope from its parts.
    public init(messageID: UInt64, answer: Answer) {
        self.messageID = messageID
        self.answer = answer
    }
}

/// What goes from writer to ingest as one ZeroMQ message.
public struct AnswerBatch: Equatable, Sendable {
    /// The answers, in any order.
    public var answers: [AnswerEnvelope]

    /// Creates a batch from its parts.
    public init(answers: [AnswerEnvelope]) {
        self.answers = answers
    }

    /// The bytes for the wire.
    public func encoded() -> [UInt8] { AnswerEncoder.encode(answers) }

    /// Reads a batch off the wire. An answer with a verdict that this build does not know reads as unavailable.
    public init(decoding frame: [UInt8]) throws(WireError) {
        let body = try Frame.body(of: frame, kind: .answers)
        var reader = AnswerReader(frame, from: body.lowerBound)
        if let plain = reader.answers() {
            answers = plain
            return
        }
        let batch: WireAnswers = try decode(Array(frame[body]))
        answers = batch.answers.map { AnswerEnvelope(messageID: $0.messageID, answer: Answer($0)) }
    }
}

func serialized(_ message: some Message) throws(WireError) -> [UInt8] {
    do {
        return try message.serializedBytes()
    } catch {
        throw WireError(code: .malformed("\(error)"))
    }
}

func decode<Body: Message>(_ bytes: [UInt8]) throws(WireError) -> Body {
    do {
        return try Body(serializedBytes: bytes)
    } catch {
        throw WireError(code: .malformed("\(error)"))
    }
}
