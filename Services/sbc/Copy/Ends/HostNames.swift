internal import Glibc
internal import Synchronization
internal import Threading

/// Brings the names of hosts into one spelling, so that two of them can be compared.
enum HostNames {
    /// What stands for this machine.
    static let here = "localhost"
    /// How long the system may take to resolve a name.
    static let lookupMillisecondsMax = 3000

    private static let known = Mutex<[String: String]>([:])

    /// `localhost` for any name or address of this machine, an address in its usual spelling, else the name itself in
    /// small letters: one that resolves to several addresses may give others at the next question. Blocks, up to three
    /// seconds, for a name that was not asked for before.
    static func canonical(_ host: String) -> String {
        var name = host.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        if name.isEmpty || name == here { return here }
        if let canonical = known.withLock({ $0[name] }) { return canonical }
        let canonical = lookUp(name)
        known.withLock { $0[name] = canonical }
        return canonical
    }

    private static func lookUp(_ name: String) -> String {
        if let address = addresses(of: name, flags: AI_NUMERICHOST).first {
            return isHere(address) ? here : address.map { "\($0)" }.joined(separator: ".")
        }
        // The system's resolver cannot be interrupted; a thread that is waited for no longer ends by itself.
        let found = Found()
        _ = DedicatedThread(name: "resolver") { found.set(addresses(of: name, flags: 0)) }
        return found.wait().contains(where: isHere) ? here : name
    }

    /// What a lookup found, for who waits for it.
    private final class Found: Sendable {
        private let addresses = Mutex<[[UInt8]]>([])
        private let latch = Latch()

        func set(_ found: [[UInt8]]) {
            addresses.withLock { $0 = found }
            latch.open()
        }

        func wait() -> [[UInt8]] {
            latch.wait(milliseconds: lookupMillisecondsMax)
            return addresses.withLock { $0 }
        }
    }

    /// Whether an address is this machine's: loopback, any, or one of its interfaces'.
    private static func isHere(_ address: [UInt8]) -> Bool {
        let isAny = address.allSatisfy { $0 == 0 }
        let isLoopback = address.count == 4 ? address[0] == 127 : address == loopback
        return isAny || isLoopback || own.contains(address)
    }

    /// `::1`.
    private static let loopback = [UInt8](repeating: 0, count: 15) + [1]

    /// The interfaces' addresses.
    private static let own: Set<[UInt8]> = {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&first) == 0 else { return [] }
        defer { unsafe freeifaddrs(first) }
        var found: Set<[UInt8]> = []
        var next = unsafe first
        while let entry = unsafe next {
            if let address = unsafe entry.pointee.ifa_addr, let bytes = unsafe bytes(of: address) {
                found.insert(bytes)
            }
            unsafe next = entry.pointee.ifa_next
        }
        return found
    }()

    /// The addresses of a name, 4 or 16 bytes each. Empty where it has none.
    private static func addresses(of name: String, flags: Int32) -> [[UInt8]] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = flags
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(name, nil, &hints, &first) == 0 else { return [] }
        defer { unsafe freeaddrinfo(first) }
        var found: [[UInt8]] = []
        var next = unsafe first
        while let entry = unsafe next {
            if let address = unsafe entry.pointee.ai_addr, let bytes = unsafe bytes(of: address) {
                found.append(bytes)
            }
            unsafe next = entry.pointee.ai_next
        }
        return found
    }

    /// An address's bytes; an IPv4 address in IPv6 is one of IPv4. nil for other families.
    @unsafe private static func bytes(of address: UnsafePointer<sockaddr>) -> [UInt8]? {
        // sockaddr_in has its address behind family and port, sockaddr_in6 also behind the flow label.
        let place: Range<Int>
        switch unsafe Int32(address.pointee.sa_family) {
        case AF_INET: place = 4..<8
        case AF_INET6: place = 8..<24
        default: return nil
        }
        let memory = unsafe UnsafeRawBufferPointer(start: address, count: place.upperBound)
        let bytes = unsafe Array(memory[place])
        let isMapped = bytes.starts(with: [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF])
        return isMapped ? Array(bytes.suffix(4)) : bytes
    }
}
