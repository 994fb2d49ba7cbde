/// One `--hub-column NAME=VALUE`: a value for a column of the hub's own tables.
struct HubColumn: Equatable, Sendable {
    var name: String
    var value: String

    /// Members of a registration that are not the hub's.
    private static let reserved: Set<String> = [
        "job_id", "vm_name", "backup_type", "repository_id", "disks", "telemetry", "attempt",
    ]

    /// Splits at the first `=`. nil if there is none, or the name is no plain name or the registration's own.
    init?(_ text: String) {
        guard let sign = text.firstIndex(of: "=") else { return nil }
        name = String(text[..<sign])
        value = String(text[text.index(after: sign)...])
        let isPlain = name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
        }
        guard isPlain, (1...64).contains(name.utf8.count), !Self.reserved.contains(name) else { return nil }
    }
}
