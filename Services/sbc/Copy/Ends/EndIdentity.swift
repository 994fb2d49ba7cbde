internal import FoundationEssentials
internal import Glibc

/// What an end refers to, whatever its name.
enum EndIdentity: Hashable, Sendable {
    case file(FileIdentity)
    case export(NBDServerIdentity, name: String)

    /// What an NBD URI refers to: the same server by another path, or by another name or address of this machine, is the
    /// same. May block for a name that the system has to resolve.
    init(uri: String) {
        guard let parts = URLComponents(string: uri) else {
            self = .export(.other(uri), name: "")
            return
        }
        let path = parts.path
        let name = path.hasPrefix("/") ? String(path.dropFirst()) : path
        if let socket = parts.queryItems?.first(where: { $0.name == "socket" })?.value {
            var status = stat()
            let isThere = unsafe stat(socket, &status) == 0
            self = .export(isThere ? .socket(FileIdentity(status)) : .other(socket), name: name)
            return
        }
        let host = HostNames.canonical((parts.host ?? "").filter { $0 != "[" && $0 != "]" })
        self = .export(.tcp(host: host, port: parts.port ?? 10_809), name: name)
    }
}

extension EndIdentity {
    /// A text that stands for an export, whatever its URI's spelling, also while its server is away.
    static func canonicalName(uri: String) -> String {
        guard case .export(let server, let name) = EndIdentity(uri: uri) else { return uri }
        if case .tcp(let host, let port) = server { return "\(host):\(port)/\(name)" }
        let socket = URLComponents(string: uri)?.queryItems?.first { $0.name == "socket" }?.value
        var status = stat()
        if let socket, unsafe stat(socket, &status) == 0, status.st_nlink > 1 {
            // It has several names, hard links, of which none is the one.
            return "socket \(status.st_dev):\(status.st_ino)/\(name)"
        }
        // Else not the socket's inode: a server that starts again makes another.
        return "\(socket.map(Self.realPath) ?? uri)/\(name)"
    }

    /// A path without symbolic links, as far as it leads anywhere.
    static func realPath(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }
}

/// Which server an export is of.
enum NBDServerIdentity: Hashable, Sendable {
    case socket(FileIdentity)
    case tcp(host: String, port: Int)
    /// As far as a text tells.
    case other(String)
}
