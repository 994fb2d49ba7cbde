import FoundationEssentials

/// Lines of output.
enum Line {
    /// The longest line of text, in characters.
    private static let characterCountMax = 500

    /// A value as one line of JSON, its members in the order of their names.
    static func json(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { preconditionFailure("\(value) is no JSON") }
        return String(decoding: data, as: UTF8.self)
    }

    /// Text from anywhere as one line that a terminal shows as it is: no control characters, not too long.
    static func oneLine(_ text: String) -> String {
        let plain = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
            )
        )
        return plain.count > characterCountMax ? plain.prefix(characterCountMax) + "…" : plain
    }

    /// A number and its noun.
    static func count(_ number: Int, _ noun: String, _ plural: String? = nil) -> String {
        number == 1 ? "1 \(noun)" : "\(number) \(plural ?? noun + "s")"
    }
}
