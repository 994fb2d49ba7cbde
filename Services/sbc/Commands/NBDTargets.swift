/// The field's `--nbd-targets`: `2000:nbd://127.0.0.1:10100/vm-disk0,2001:nbd://…`, a VMware disk key and a URI
/// for each disk.
struct NBDTargets: Equatable, Sendable {
    /// The key of a VM's first disk.
    static let firstKey = 2000

    /// Why a text is none.
    struct Fault: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    /// By disk index.
    var uris: [String]

    /// Reads them, in any order.
    ///
    /// - Throws: `Fault` naming the entry.
    init(_ text: String) throws(Fault) {
        var byIndex: [Int: String] = [:]
        for entry in Self.entries(of: text) {
            guard let colon = entry.firstIndex(of: ":"), let key = Int(entry[..<colon]),
                Endpoint.hasScheme(entry[entry.index(after: colon)...])
            else {
                throw Fault(
                    description: "'\(entry)' is not KEY:URI; write for example "
                        + "2000:nbd://127.0.0.1:10100/vm-disk0"
                )
            }
            let uri = String(entry[entry.index(after: colon)...])
            guard uri.hasPrefix("nbd") else {
                throw Fault(description: "'\(uri)' is no NBD URI; write nbd://HOST:PORT/EXPORT")
            }
            guard key >= Self.firstKey else {
                throw Fault(description: "the key \(key) is none of a disk: they count from \(Self.firstKey)")
            }
            guard byIndex.updateValue(uri, forKey: key - Self.firstKey) == nil else {
                throw Fault(description: "the key \(key) is given twice; give each disk once")
            }
        }
        guard !byIndex.isEmpty else {
            throw Fault(description: "is empty; write KEY:URI for each disk, with commas between")
        }
        var uris: [String] = []
        for index in 0..<byIndex.count {
            guard let uri = byIndex[index] else {
                throw Fault(
                    description: "the key \(Self.firstKey + index) is missing: \(byIndex.count) disks "
                        + "have the keys \(Self.firstKey) to \(Self.firstKey + byIndex.count - 1)"
                )
            }
            uris.append(uri)
        }
        self.uris = uris
    }

    /// Splits at the commas behind which another key begins: a URI may hold some itself.
    private static func entries(of text: String) -> [String] {
        var entries: [String] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: true) {
            let key = part.prefix { $0.isNumber }
            let isEntry = !key.isEmpty && part.dropFirst(key.count).hasPrefix(":")
            if isEntry || entries.isEmpty {
                entries.append(String(part))
            } else {
                entries[entries.count - 1] += ",\(part)"
            }
        }
        return entries
    }
}
