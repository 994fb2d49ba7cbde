/// Which addresses stay on this machine.
public enum Loopback {
    /// Whether a host is this machine's loopback: `localhost`, `::1` or an IPv4 address of 127.0.0.0/8.
    public static func contains(host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Whether a ZeroMQ endpoint `tcp://host:port` is on this machine's loopback.
    public static func contains(endpoint: String) -> Bool {
        let scheme = "tcp://"
        guard endpoint.hasPrefix(scheme) else { return false }
        let address = endpoint.dropFirst(scheme.count)
        guard let colon = address.lastIndex(of: ":") else { return false }
        let host = address[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        return contains(host: String(isBracketed ? host.dropFirst().dropLast() : host))
    }
}
