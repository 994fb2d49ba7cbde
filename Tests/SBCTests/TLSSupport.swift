import Foundation
import Glibc
import Synchronization
import TestSupport

/// An authority of a test's own, and what it vouches for: a server that is called localhost.
struct TestAuthority {
    /// The folder of `ca-cert.pem`, `server-cert.pem` and `server-key.pem`, named as nbdkit and libnbd want them.
    let folder: String

    var certificate: String { folder + "/ca-cert.pem" }

    /// Makes keys and certificates.
    ///
    /// - Throws: `TestSupportError` with openssl's words.
    init(in folder: String) throws {
        self.folder = folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func openssl(_ arguments: String) throws {
            let words = arguments.split(separator: " ").map(String.init)
            try Launcher.run(["openssl"] + words, logPath: folder + "/log")
        }
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        try openssl(
            "req -x509 \(key) -keyout \(folder)/ca-key.pem -out \(certificate) -days 2 -subj /CN=authority"
        )
        try openssl(
            "req \(key) -keyout \(folder)/server-key.pem -out \(folder)/server.csr -subj /CN=localhost"
        )
        try Data("subjectAltName=DNS:localhost\n".utf8).write(
            to: URL(fileURLWithPath: folder + "/extensions")
        )
        try openssl(
            "x509 -req -in \(folder)/server.csr -CA \(certificate) -CAkey \(folder)/ca-key.pem -CAcreateserial "
                + "-days 2 -extfile \(folder)/extensions -out \(folder)/server-cert.pem"
        )
    }
}

/// An https door before a hub: Python's TLS, which is not ours.
final class TLSDoor: Sendable {
    static let isToBeHad: Bool = {
        let folder = TemporaryFolder()
        do {
            try Launcher.run(["python3", "-c", "import ssl"], logPath: folder("log"))
            return true
        } catch {
            return false
        }
    }()

    /// Carries bytes to and fro until one of the sides has ended.
    private static let script = """
        import select, socket, ssl, sys, threading
        folder, hub = sys.argv[1], int(sys.argv[2])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder + "/server-cert.pem", folder + "/server-key.pem")
        def serve(raw):
            with context.wrap_socket(raw, server_side=True) as client, \\
                    socket.create_connection(("127.0.0.1", hub)) as server:
                while True:
                    ends = [client] if client.pending() else select.select([client, server], [], [])[0]
                    for end in ends:
                        data = end.recv(65536)
                        if not data:
                            return
                        (server if end is client else client).sendall(data)
        listener = socket.create_server(("127.0.0.1", 0))
        print("port", listener.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        """

    let url: String
    private let pid: pid_t
    private let folder: String

    /// Opens it and waits until it takes connections.
    ///
    /// - Throws: `TestSupportError` with the end of its log.
    init(_ authority: TestAuthority, before hub: ScriptedHub) throws {
        folder = try Leftovers.newFolder()
        let log = folder + "/log"
        pid = try Launcher.start(
            ["python3", "-c", Self.script, authority.folder, "\(hub.port)"],
            logPath: log
        )
        var port: Substring?
        _ = eventually(milliseconds: 20_000) {
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            port = text.hasSuffix("\n") && text.hasPrefix("port ") ? text.dropFirst(5).dropLast() : nil
            return port != nil
        }
        guard let port else { throw TestSupportError("there is no https door: \(Launcher.logTail(log))") }
        url = "https://localhost:\(port)"
    }

    deinit {
        kill(pid, SIGKILL)
        _ = waitpid(pid, nil, 0)
        Leftovers.remove(folder: folder)
    }
}
