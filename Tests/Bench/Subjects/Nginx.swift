import Foundation
import Glibc
import StackSupport
import TestSupport

/// The limit of HTTP on this machine: one process that reads a request, throws its body away and answers 204.
final class Nginx {
    let port: Int
    let processID: pid_t
    private let folder: String

    /// Starts it, and waits until it answers.
    init() throws {
        folder = try Leftovers.newFolder()
        port = try ServicePorts.take()
        let settings = """
            daemon off;
            master_process off;
            pid \(folder)/pid;
            error_log \(folder)/error.log;
            worker_rlimit_nofile 16384;
            events { worker_connections 8192; }
            http {
              access_log off;
              keepalive_requests 1000000000;
              client_body_buffer_size 64k;
              client_body_temp_path \(folder)/body;
              proxy_temp_path \(folder)/proxy;
              fastcgi_temp_path \(folder)/fastcgi;
              uwsgi_temp_path \(folder)/uwsgi;
              scgi_temp_path \(folder)/scgi;
              server {
                listen 127.0.0.1:\(port) backlog=4096;
                location / { return 204; }
              }
            }

            """
        try settings.write(toFile: "\(folder)/conf", atomically: true, encoding: .utf8)
        let log = "\(folder)/log"
        processID = try Launcher.start(
            ["nginx", "-p", folder, "-e", "\(folder)/error.log", "-c", "\(folder)/conf"],
            logPath: log
        )
        Leftovers.add(pid: processID)
        let isUp = eventually(seconds: 10, everyMilliseconds: 20) {
            (try? HTTPConnection(port: port).request("POST", "/", body: "{}"))?.status == 204
        }
        guard isUp else { throw EndToEndError("nginx does not answer: \(Launcher.logTail(log))") }
    }

    deinit {
        kill(processID, SIGKILL)
        while waitpid(processID, nil, 0) == -1, errno == EINTR {}
        Leftovers.remove(pid: processID)
        Leftovers.remove(folder: folder)
    }

    /// Whether it is installed.
    static var isThere: Bool {
        ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].contains {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    func meter() -> Meter { Meter(processes: [("nginx", processID)]) }
}
