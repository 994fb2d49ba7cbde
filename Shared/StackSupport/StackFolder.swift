import Foundation
import Glibc
import Synchronization

/// The stacks' folders; they go when the process ends, with all that runs in them.
package enum StackFolder {
    private static let made = Mutex<[String: String]>([:])

    /// The folder of this name, made now if need be.
    package static func path(_ name: String) throws -> String {
        try made.withLock { made in
            if let path = made[name] { return path }
            // Short: the path of a unix socket has room for 107 bytes.
            var template = Array((NSTemporaryDirectory() + "/se2e-XXXXXX").utf8CString)
            guard unsafe mkdtemp(&template) != nil, let real = unsafe realpath(template, nil) else {
                throw EndToEndError("mkdtemp: errno \(errno)")
            }
            defer { unsafe free(real) }
            let path = unsafe String(cString: real)
            if made.isEmpty { atexit { StackFolder.clear() } }
            made[name] = path
            return path
        }
    }

    private static func clear() {
        for path in made.withLock({ $0.values }) {
            // A suite that was cut short could not do it.
            let environment = ProcessInfo.processInfo.environment.merging(["SENDENSE_STATE_DIR": path]) { $1 }
            _ = try? Command.run([Stack.root + "/dev", "down"], environment: environment, folder: path)
            try? FileManager.default.removeItem(atPath: path)
        }
    }
}
