/// A set of ASCII characters, to be asked byte by byte.
struct ByteSet {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    /// The characters of a text.
    init(_ text: StaticString) {
        for place in 0..<text.utf8CodeUnitCount {
            let byte = unsafe text.utf8Start[place]
            if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte & 63) }
        }
    }

    func contains(_ byte: UInt8) -> Bool {
        // Bytes beyond ASCII shift by more than there is.
        (byte < 64 ? low >> UInt64(byte) : high >> UInt64(byte &- 64)) & 1 == 1
    }

    /// What a header's name may have (RFC 9110, token).
    static let tokenBytes = ByteSet(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
    /// What a path may have (RFC 3986, pchar and the slash).
    static let pathBytes = ByteSet(
        "-._~%!$&'()*+,;=:@/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
    /// What a query may have.
    static let queryBytes = ByteSet(
        "-._~%!$&'()*+,;=:@/?0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
}

extension Span<UInt8> {
    /// Whether this is the text, which is in lower case, whatever the case of the letters here.
    func isText(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in indices where unsafe text.utf8Start[index] != self[index] | 0x20 { return false }
        return true
    }
}
