/// A message could not be read off the wire.
public struct WireError: Error, Equatable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: Equatable, Sendable {
        /// Shorter than its header says, or without one.
        case truncated
        /// Not one of ours.
        case foreign
        /// From a version that this build does not know.
        case version(UInt8)
        /// The body is no such protobuf message.
        case malformed(String)
    }

    /// What is wrong.
    public let code: Code

    /// Creates an error from its code.
    public init(code: Code) {
        self.code = code
    }

    /// The error in words.
    public var description: String {
        switch code {
        case .truncated: "the message is shorter than its header says"
        case .foreign: "the message does not begin with the bytes of this protocol"
        case .version(let version):
            "the message is of wire version \(version); this build knows 1 to \(Frame.version): deploy the newer one here"
        case .malformed(let reason): "the message's body cannot be decoded: \(reason)"
        }
    }
}

/// The header before each protobuf body: protobuf alone cannot tell a cut message from a short one.
///
///     [ 'S' ][ 'T' ][ version ][ kind ][ x ][ x ][ x ][ x ][ body… ]
///                                      | length of the body,       |
///                                      | 4 bytes, little endian    |
enum Frame {
    static let version: UInt8 = 1
    static let headerByteCount = 8
    private static let magic: [UInt8] = [0x53, 0x54]

    enum Kind: UInt8 {
        case envelopes = 1
        case answers = 2
    }

    static func wrap(_ body: [UInt8], kind: Kind) -> [UInt8] {
        var frame: [UInt8] = []
        frame.reserveCapacity(headerByteCount + body.count)
        begin(&frame, kind: kind)
        frame += body
        end(&frame)
        return frame
    }

    /// Writes the header of a frame whose body comes next.
    static func begin(_ frame: inout [UInt8], kind: Kind) {
        frame += magic
        frame.append(version)
        frame.append(kind.rawValue)
        for _ in 0..<4 { frame.append(0) }
    }

    /// The body is whole: its length goes into the header.
    static func end(_ frame: inout [UInt8]) {
        let length = UInt32(frame.count - headerByteCount)
        for place in 0..<4 { frame[4 + place] = UInt8(truncatingIfNeeded: length >> (8 * place)) }
    }

    static func unwrap(_ frame: [UInt8], kind: Kind) throws(WireError) -> [UInt8] {
        Array(frame[try body(of: frame, kind: kind)])
    }

    /// Where the body lies in a frame.
    static func body(of frame: [UInt8], kind: Kind) throws(WireError) -> Range<Int> {
        guard frame.count >= headerByteCount else { throw WireError(code: .truncated) }
        guard frame[0] == magic[0], frame[1] == magic[1] else { throw WireError(code: .foreign) }
        guard frame[2] >= 1, frame[2] <= version else { throw WireError(code: .version(frame[2])) }
        guard frame[3] == kind.rawValue else { throw WireError(code: .foreign) }
        var length = 0
        for place in 0..<4 { length |= Int(frame[4 + place]) << (8 * place) }
        guard frame.count == headerByteCount + length else { throw WireError(code: .truncated) }
        return headerByteCount..<frame.count
    }
}
