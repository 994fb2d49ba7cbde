internal import FoundationEssentials
internal import Glibc

/// Where the hub is, and how it is spoken to.
struct HubAccess: Equatable, Sendable {
    static let defaultURL = "http://localhost:8082"
    static let tokenByteCountMax = 4096

    /// `http://host:port` or `https://host:port`, without a slash at its end.
    var url: String
    /// The file of the bearer token. nil: none is sent.
    var tokenFile: String?
    /// What was in the token's file when it was checked: where that was a pipe, it cannot be read again.
    private(set) var token: String?
    /// The PEM file of the authorities that may vouch for an `https` hub. nil: the system's.
    var caFile: String?

    init(url: String, tokenFile: String? = nil, caFile: String? = nil) {
        self.url = url
        self.tokenFile = tokenFile
        self.caFile = caFile
    }

    /// Checks what was given; an option wins over the environment, that over a file of ours.
    ///
    /// - Parameters:
    ///   - url: `--hub-url`.
    ///   - tokenFile: `--hub-token-file`.
    ///   - caFile: `--hub-ca-file`.
    ///   - set: the environment's variables that are not empty.
    ///   - fallback: what the inventory says.
    /// - Throws: `UsageError` naming the option and the remedy.
    init(
        url: String?,
        tokenFile: String?,
        caFile: String?,
        _ set: [String: String],
        fallback: HubAccess? = nil
    ) throws(UsageError) {
        self.url = try Self.checked(url ?? set["SHA_API_URL"] ?? fallback?.url ?? Self.defaultURL)
        self.tokenFile = tokenFile ?? set["SENDENSE_SBC_HUB_TOKEN_FILE"] ?? fallback?.tokenFile
        self.caFile = caFile ?? set["SENDENSE_SBC_HUB_CA_FILE"] ?? fallback?.caFile
        if let file = self.tokenFile {
            token = try Self.token(in: file)
            guard self.url.hasPrefix("https:") || isLoopback else {
                throw UsageError(
                    "--hub-token-file: the token would cross the network in the clear to \(shownURL); give an "
                        + "https:// address, or leave the token out"
                )
            }
        }
        if let file = self.caFile { try Self.checkAuthorities(file) }
    }

    /// The token in a file, without the space around it.
    ///
    /// - Throws: `UsageError` where there is none that a header can carry.
    static func token(in file: String) throws(UsageError) -> String {
        let data: [UInt8]
        do throws(InputFile.Fault) {
            data = try InputFile.bytes(file)
        } catch {
            throw UsageError(
                "--hub-token-file: cannot read \(file): \(error); give a file with the hub's token"
            )
        }
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let bytes = data.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        guard !bytes.isEmpty, bytes.count <= tokenByteCountMax,
            bytes.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw UsageError(
                "--hub-token-file: \(file) must hold one token of 1 to \(tokenByteCountMax) visible ASCII "
                    + "characters and nothing else"
            )
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Looks for certificates in a file.
    ///
    /// - Throws: `UsageError` where there are none.
    private static func checkAuthorities(_ file: String) throws(UsageError) {
        guard let data = try? Data(contentsOf: URL(filePath: file)) else {
            throw UsageError("--hub-ca-file: cannot read \(file); give a PEM file of certificates")
        }
        var certificates: [String] = []
        var isInside = false
        for line in String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline) {
            if line.hasPrefix("-----") {
                isInside = line.hasPrefix("-----BEGIN ") && line.contains("CERTIFICATE-----")
                if isInside { certificates.append("") }
            } else if isInside {
                certificates[certificates.count - 1] += line.filter { !$0.isWhitespace }
            }
        }
        // Each is a SEQUENCE of ASN.1.
        guard !certificates.isEmpty, certificates.allSatisfy({ Data(base64Encoded: $0)?.first == 0x30 })
        else {
            throw UsageError("--hub-ca-file: \(file) has no certificates; give a PEM file of certificates")
        }
    }

    /// An address without the slashes at its end.
    ///
    /// - Throws: `UsageError` where it is none of a hub.
    static func checked(_ text: String) throws(UsageError) -> String {
        var url = text
        while url.hasSuffix("/") { url.removeLast() }
        let parts = URLComponents(string: url)
        let isHTTP = parts?.scheme == "http" || parts?.scheme == "https"
        guard isHTTP, parts?.host?.isEmpty == false, parts?.query == nil, parts?.fragment == nil else {
            throw UsageError(
                "--hub-url (SHA_API_URL): '\(shown(text))' is no hub's address; write http://HOST:PORT or "
                    + "https://HOST:PORT"
            )
        }
        if let port = parts?.port, !(1...65_535).contains(port) {
            throw UsageError(
                "--hub-url (SHA_API_URL): '\(shown(text))' has a port that is none; ports are 1 to 65535"
            )
        }
        return url
    }

    /// The address for people and logs, without a name or password that may be in it.
    var shownURL: String { Self.shown(url) }

    private static func shown(_ url: String) -> String {
        guard let start = url.firstRange(of: "://")?.upperBound else { return url }
        let authority = url[start...].prefix { $0 != "/" }
        guard let at = authority.lastIndex(of: "@") else { return url }
        return url[..<start] + "***" + url[at...]
    }

    /// Whether the hub is reached within this machine, where a tunnel may begin.
    private var isLoopback: Bool {
        guard let host = URLComponents(string: url)?.host else { return false }
        if ["localhost", "::1", "[::1]"].contains(host.lowercased()) { return true }
        // An address, and not a name that looks like one.
        var address = in_addr()
        guard unsafe inet_pton(AF_INET, host, &address) == 1 else { return false }
        return UInt32(bigEndian: address.s_addr) >> 24 == 127
    }
}
