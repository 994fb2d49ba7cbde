// Safe: the memory is private to the object, which every command in flight keeps alive, and each access is
// checked against its length.
/// Memory for one request, aligned to a page. libnbd reads and writes it while a command is in flight; who
/// owns the buffer leaves it alone until then.
@safe public final class RequestBuffer {
    private let bytes: UnsafeMutableRawBufferPointer

    /// A buffer of so many bytes; its content is undefined. `alignment` is a power of two, in bytes.
    public init(byteCount: Int, alignment: Int = 4096) {
        unsafe bytes = .allocate(byteCount: max(1, byteCount), alignment: alignment)
    }

    deinit {
        unsafe bytes.deallocate()
    }

    /// How much it holds.
    public var byteCount: Int { unsafe bytes.count }

    /// Makes a part of it zero.
    public func clear(_ range: Range<Int>) {
        precondition(unsafe range.lowerBound >= 0 && range.upperBound <= bytes.count)
        guard !range.isEmpty else { return }
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[range])
            .initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// Whether a part of it is all zero.
    public func isZero(_ range: Range<Int>) -> Bool {
        precondition(unsafe range.lowerBound >= 0 && range.upperBound <= bytes.count)
        return unsafe allZero(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }

    /// Lends a part of the memory.
    ///
    /// - Precondition: the part is within the buffer.
    @unsafe public func withBytes<Result>(
        _ range: Range<Int>,
        _ body: (UnsafeMutableRawBufferPointer) -> Result
    ) -> Result {
        precondition(unsafe range.lowerBound >= 0 && range.upperBound <= bytes.count)
        return unsafe body(UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
    }
}

/// Eight words at a time, so that the compiler uses vectors; data that is not zero ends it at its first word.
private func allZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var offset = 0
    while offset + 64 <= bytes.count {
        var sum: UInt64 = 0
        for word in 0..<8 {
            sum |= unsafe bytes.loadUnaligned(fromByteOffset: offset + word * 8, as: UInt64.self)
        }
        guard sum == 0 else { return false }
        offset += 64
    }
    while offset < bytes.count {
        guard unsafe bytes[offset] == 0 else { return false }
        offset += 1
    }
    return true
}
