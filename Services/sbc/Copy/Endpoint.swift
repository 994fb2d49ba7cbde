/// Where a disk is read from or written to.
enum Endpoint: Equatable, Sendable, CustomStringConvertible {
    /// A raw file or a block device.
    case path(String)
    /// A URI; none is supported yet.
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

    /// The path of a file or block device.
    ///
    /// - Throws: `CopyError` for a URI.
    func path(diskIndex: Int, role: String) throws(CopyError) -> String {
        switch self {
        case .path(let path):
            return path
        case .uri(let uri):
            let kind = uri.hasPrefix("nbd") ? "an NBD URI" : "a URI"
            throw CopyError(
                diskIndex: diskIndex,
                reason: "the \(role) \(uri) is \(kind); this build copies files and block devices only"
            )
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
