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
        frame += magic
        frame.append(version)
        frame.append(kind.rawValue)
        let length = UInt32(body.count)
        for shift in stride(from: 0, to: 32, by: 8) {
            frame.append(UInt8(truncatingIfNeeded: length >> shift))
        }
        frame += body
        return frame
    }

    static func unwrap(_ frame: [UInt8], kind: Kind) throws(WireError) -> [UInt8] {
        try check(frame, kind: kind)
        return Array(frame[headerByteCount...])
    }

    /// Checks the header; what follows it is the body.
    static func check(_ frame: [UInt8], kind: Kind) throws(WireError) {
        guard frame.count >= headerByteCount else { throw WireError(code: .truncated) }
        guard frame[0] == magic[0], frame[1] == magic[1] else { throw WireError(code: .foreign) }
        guard frame[2] >= 1, frame[2] <= version else { throw WireError(code: .version(frame[2])) }
        guard frame[3] == kind.rawValue else { throw WireError(code: .foreign) }
        var length = 0
        for place in 0..<4 { length |= Int(frame[4 + place]) << (8 * place) }
        guard frame.count == headerByteCount + length else { throw WireError(code: .truncated) }
    }
}
