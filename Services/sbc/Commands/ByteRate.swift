/// A rate in bytes per second: a number with K, M, G or T, base 1024.
struct ByteRate: Equatable, Sendable {
    let bytesPerSecond: Int64

    /// Reads a rate like `50M`. nil if it is none, 0, or more than 2^50.
    init?(_ text: String) {
        var digits = Substring(text.uppercased())
        for suffix in ["/S", "IB", "B"] where digits.hasSuffix(suffix) {
            digits.removeLast(suffix.count)
        }
        var shift = 0
        if let last = digits.last, let place = Array("KMGT").firstIndex(of: last) {
            shift = (place + 1) * 10
            digits.removeLast()
        }
        guard let value = Double(digits), digits.allSatisfy({ $0.isNumber || $0 == "." }), value > 0 else {
            return nil
        }
        let bytes = value * Double(Int64(1) << Int64(shift))
        guard bytes >= 1, bytes <= Double(Int64(1) << 50) else { return nil }
        bytesPerSecond = Int64(bytes)
    }
}
