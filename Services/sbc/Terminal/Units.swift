/// Numbers as people read them.
enum Units {
    /// A size in base 1024 with one decimal, like `1.5 GiB`.
    static func size(_ bytes: Int64) -> String {
        var value = Double(bytes)
        var unit = "B"
        for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] where value >= 1024 {
            value /= 1024
            unit = next
        }
        return unit == "B" ? "\(bytes) B" : "\(oneDecimal(value)) \(unit)"
    }

    /// A number with one decimal.
    static func oneDecimal(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// A time like `1:05` or `2:00:09`.
    static func clock(seconds: Int64) -> String {
        let minutes = seconds / 60
        let rest = twoDigits(seconds % 60)
        return minutes < 60 ? "\(minutes):\(rest)" : "\(minutes / 60):\(twoDigits(minutes % 60)):\(rest)"
    }

    private static func twoDigits(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
