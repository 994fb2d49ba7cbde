extension Endpoint {
    /// QEMU's old spelling of an NBD address, `nbd:HOST:PORT` or `nbd:unix:PATH`, each with `:exportname=NAME` behind it
    /// or not. It would be taken for a file's name.
    ///
    /// - Parameter text: an endpoint, or a source and target with `=` between.
    /// - Returns: what is wrong, and the URI that is meant. nil if there is none in it.
    static func fault(ofOldSpelling text: String) -> String? {
        let start = text.hasPrefix("nbd:") ? text.startIndex : start(afterSign: text)
        guard let start else { return nil }
        let old = text[start...].dropFirst("nbd:".count)
        guard !old.hasPrefix("//") else { return nil }
        let parts = old.split(separator: "=", omittingEmptySubsequences: false)
        var address = parts[0]
        var name = ""
        if address.hasSuffix(":exportname") {
            address = address.dropLast(":exportname".count)
            name = parts.count > 1 ? String(parts[1]) : ""
        }
        let uri =
            address.hasPrefix("unix:")
            ? "nbd+unix:///\(name)?socket=\(address.dropFirst("unix:".count))" : "nbd://\(address)/\(name)"
        return "'nbd:\(address)' is QEMU's old spelling; write \(uri), or ./ before it if a file is meant"
    }

    private static func start(afterSign text: String) -> String.Index? {
        var rest = text[...]
        while let sign = rest.firstIndex(of: "=") {
            rest = rest[rest.index(after: sign)...]
            if rest.hasPrefix("nbd:"), !rest.hasPrefix("nbd://") { return rest.startIndex }
        }
        return nil
    }
}
