import Foundation
package import Glibc
import Synchronization

/// What this process must take away when it ends: servers and folders.
package enum Leftovers {
    private struct State {
        var pids: Set<pid_t> = []
        var folders: Set<String> = []
        var isRegistered = false
    }

    private static let state = Mutex(State())

    package static func add(pid: pid_t) {
        register()
        state.withLock { _ = $0.pids.insert(pid) }
    }

    package static func remove(pid: pid_t) {
        state.withLock { _ = $0.pids.remove(pid) }
    }

    /// A new folder of this process; it goes when the process ends, or with `remove(folder:)`.
    package static func newFolder() throws(TestSupportError) -> String {
        register()
        // Short: the path of a unix socket has room for 107 bytes.
        var template = Array((NSTemporaryDirectory() + "/sendense-db-XXXXXX").utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw TestSupportError("mkdtemp failed: \(unsafe String(cString: strerror(errno)))")
        }
        let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        state.withLock { _ = $0.folders.insert(folder) }
        return folder
    }

    package static func remove(folder: String) {
        state.withLock { _ = $0.folders.remove(folder) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func register() {
        let isFirst = state.withLock { state in
            defer { state.isRegistered = true }
            return !state.isRegistered
        }
        if isFirst { atexit { Leftovers.clear() } }
    }

    private static func clear() {
        let (pids, folders) = state.withLock { ($0.pids, $0.folders) }
        for pid in pids {
            kill(pid, SIGKILL)
            _ = waitpid(pid, nil, 0)
        }
        for folder in folders { try? FileManager.default.removeItem(atPath: folder) }
    }
}
