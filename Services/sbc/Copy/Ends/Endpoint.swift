/// Where a disk is read from or written to.
enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A raw file or a block device.
    case path(String)
    /// An NBD URI.
    case uri(String)

    /// Tells a URI from a path by its `scheme://`.
    init(_ text: String) {
        self = Self.hasScheme(text) ? .uri(text) : .path(text)
    }

    /// The path or URI as given.
    var description: String {
        switch self {
        case .path(let text), .uri(let text): text
        }
    }

    /// Whether a text begins like `nbd+unix://`.
    static func hasScheme(_ text: some StringProtocol) -> Bool {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return false }
        let scheme = text[..<colon].utf8
        guard let first = scheme.first, isLetter(first) else { return false }
        return scheme.allSatisfy {
            isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || [UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ".")].contains($0)
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
