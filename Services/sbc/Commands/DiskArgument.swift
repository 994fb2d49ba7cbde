/// One `--disk SOURCE=TARGET`.
struct DiskArgument: Equatable, Sendable {
    var source: Endpoint
    var target: Endpoint

    /// Why a text is no disk.
    struct Fault: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    init(source: Endpoint, target: Endpoint) {
        self.source = source
        self.target = target
    }

    /// Splits at the `=` between source and target, which may themselves hold some: one before a URI
    /// separates, else one before an absolute path, else the only one. The `=` after a key in a source
    /// URI's query never does.
    ///
    /// - Throws: `Fault` if there is none, or more than one could be meant.
    init(_ text: String) throws(Fault) {
        if let words = Endpoint.fault(ofOldSpelling: text) { throw Fault(description: words) }
        let signs = Self.candidates(in: text)
        guard !signs.isEmpty else {
            throw Fault(
                description:
                    "'\(text)' is not SOURCE=TARGET; write for example --disk /dev/vda=/backup/vda.raw"
            )
        }
        let beforeURI = signs.filter { Endpoint.hasScheme(text[text.index(after: $0)...]) }
        let beforePath = signs.filter { text[text.index(after: $0)...].hasPrefix("/") }
        let sign: String.Index
        if let first = beforeURI.first {
            sign = first
        } else if beforePath.count == 1 {
            sign = beforePath[0]
        } else if signs.count == 1 {
            sign = signs[0]
        } else {
            throw Fault(
                description:
                    "'\(text)' can be split at more than one '='; put the disk into an inventory file, "
                    + "where source and target have keys of their own"
            )
        }
        let source = text[..<sign]
        let target = text[text.index(after: sign)...]
        guard !source.isEmpty, !target.isEmpty else {
            throw Fault(
                description: "'\(text)' has no \(source.isEmpty ? "source" : "target"); write SOURCE=TARGET"
            )
        }
        self.init(source: Endpoint(String(source)), target: Endpoint(String(target)))
    }

    private static func candidates(in text: String) -> [String.Index] {
        let isURI = Endpoint.hasScheme(text)
        return text.indices.filter { index in
            guard text[index] == "=" else { return false }
            guard isURI, let start = text[..<index].lastIndex(where: { $0 == "?" || $0 == "&" }) else {
                return true
            }
            let key = text[text.index(after: start)..<index]
            return key.isEmpty || !key.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
        }
    }
}
