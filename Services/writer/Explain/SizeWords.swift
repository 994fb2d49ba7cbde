/// Sizes as the hub's GUI shows them: base 1024, one decimal.
enum SizeWords {
    static func text(_ bytes: Int64) -> String {
        var amount = Double(bytes)
        for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
            if abs(amount) < 1024 { return unit == "B" ? "\(bytes) B" : "\(rounded(amount)) \(unit)" }
            amount /= 1024
        }
        return "\(rounded(amount)) PiB"
    }

    private static func rounded(_ amount: Double) -> Double { (amount * 10).rounded() / 10 }
}
