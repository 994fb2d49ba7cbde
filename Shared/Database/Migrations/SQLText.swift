/// Text as SQL.
enum SQLText {
    /// A literal, with quotes and backslashes escaped.
    static func quoted(_ text: String) -> String {
        // By scalars: a quote before a combining mark is still a quote to the server.
        var quoted = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == "'" || scalar == "\\" { quoted.append(scalar) }
            quoted.append(scalar)
        }
        return "'\(String(quoted))'"
    }
}
